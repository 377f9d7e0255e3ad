//! Steps against the averages, moments and schedules that define them, and against PyTorch.

#![expect(clippy::unwrap_used, reason = "a test")]

use phalanx_robust::{
    Vector,
    describe::{Described, Preset},
    random::Seed,
    state::StateError,
    step::{Adagrad, Adam, AnytimeSgd, Domain, Schedule, Sgd, Step, StepRule, StepVisitor, Yogi, built_in},
};
use rand_distr::{Distribution, StandardNormal};

/// (thousandths, first t) of Python's round(2/(t + 1), 3) for t to 2000, made by
/// ```python
/// last = None
/// for t in range(1, 2001):
///     v = round(round(2 / (t + 1), 3) * 1000)
///     if v != last: print((v, t), end=", ")
///     last = v
/// ```
const ROUNDED: &[(u32, u64)] = &[
    (1000, 1),
    (667, 2),
    (500, 3),
    (400, 4),
    (333, 5),
    (286, 6),
    (250, 7),
    (222, 8),
    (200, 9),
    (182, 10),
    (167, 11),
    (154, 12),
    (143, 13),
    (133, 14),
    (125, 15),
    (118, 16),
    (111, 17),
    (105, 18),
    (100, 19),
    (95, 20),
    (91, 21),
    (87, 22),
    (83, 23),
    (80, 24),
    (77, 25),
    (74, 26),
    (71, 27),
    (69, 28),
    (67, 29),
    (65, 30),
    (62, 31),
    (61, 32),
    (59, 33),
    (57, 34),
    (56, 35),
    (54, 36),
    (53, 37),
    (51, 38),
    (50, 39),
    (49, 40),
    (48, 41),
    (47, 42),
    (45, 43),
    (44, 44),
    (43, 45),
    (42, 47),
    (41, 48),
    (40, 49),
    (39, 50),
    (38, 51),
    (37, 53),
    (36, 54),
    (35, 56),
    (34, 57),
    (33, 59),
    (32, 61),
    (31, 63),
    (30, 65),
    (29, 67),
    (28, 70),
    (27, 72),
    (26, 75),
    (25, 78),
    (24, 81),
    (23, 85),
    (22, 88),
    (21, 93),
    (20, 97),
    (19, 102),
    (18, 108),
    (17, 114),
    (16, 121),
    (15, 129),
    (14, 137),
    (13, 148),
    (12, 160),
    (11, 173),
    (10, 190),
    (9, 210),
    (8, 235),
    (7, 266),
    (6, 307),
    (5, 363),
    (4, 444),
    (3, 571),
    (2, 800),
    (1, 1333),
];

#[test]
fn the_weights_of_the_average() {
    let paper = AnytimeSgd::preset(Preset::Paper);
    let unfloored = AnytimeSgd { floor: 0.0, ..AnytimeSgd::preset(Preset::Dahan) };
    let dahan = AnytimeSgd::preset(Preset::Dahan);
    for t in 1..=2000 {
        // alpha_{t+1} over their sum, with alpha_s = s.
        let sum: f64 = (1..=t + 1).map(|s| s as f64).sum();
        assert!((paper.average_weight(t) - (t + 1) as f64 / sum).abs() < 1e-15);
        let expected = ROUNDED.iter().rev().find(|(_, first)| *first <= t).unwrap().0;
        assert_eq!(unfloored.average_weight(t), f64::from(expected) / 1000.0, "t = {t}");
        assert_eq!(dahan.average_weight(t), f64::from(expected.max(10)) / 1000.0, "t = {t}");
    }
    let first: Vec<f64> = (1..=6).map(|t| dahan.average_weight(t)).collect();
    assert_eq!(first, [1.0, 0.667, 0.5, 0.4, 0.333, 0.286]);
    assert!(dahan.average_weight(189) > 0.01 && dahan.average_weight(190) == 0.01);
    let fixed = AnytimeSgd { gamma: Some(0.0004), ..dahan };
    assert_eq!(fixed.average_weight(3), 0.0004, "a fixed weight is used as it is");
}

fn aggregates(n: usize, d: usize) -> Vec<Vec<f64>> {
    let mut rng = Seed(3).stream("test", 0, "aggregates", 0);
    (0..n).map(|_| (0..d).map(|_| StandardNormal.sample(&mut rng)).collect()).collect()
}

/// The query points x_1, x_2, … and, where the step has them, the iterates w_2, w_3, …
fn run(
    step: &mut dyn Step,
    start: &[f64],
    aggregates: &[Vec<f64>],
    first: u64,
) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut x = Vector::from(start.to_vec());
    let (mut points, mut iterates) = (vec![start.to_vec()], Vec::new());
    for (t, aggregate) in (first..).zip(aggregates) {
        step.step(t, &mut x, &aggregate.clone().into());
        points.push(x.to_f64());
        iterates.extend(step.state().vectors.get("w").map(Vector::to_f64));
    }
    (points, iterates)
}

fn built(rule: &impl StepRule, start: &[f64], domain: Domain) -> Box<dyn Step> {
    rule.build(&start.to_vec().into(), domain).unwrap()
}

fn assert_close(a: &[f64], b: &[f64], tolerance: f64) {
    assert!(a.iter().zip(b).all(|(x, y)| (x - y).abs() < tolerance), "{a:?} {b:?}");
}

#[test]
fn anytime_points_are_the_weighted_averages_of_all_iterates() {
    let (start, gradients) = (vec![0.3, -1.0, 2.0], aggregates(120, 3));
    for domain in [Domain::Everywhere, Domain::Ball { radius: 2.5 }] {
        let rule = AnytimeSgd { lr: 0.05, ..AnytimeSgd::default() };
        let (points, iterates) = run(built(&rule, &start, domain).as_mut(), &start, &gradients, 1);
        let mut w = start.clone();
        let (mut sum, mut total) = (start.clone(), 1.0);
        for t in 1..=120usize {
            w = w.iter().zip(&gradients[t - 1]).map(|(w, g)| w - 0.05 * t as f64 * g).collect();
            let norm = w.iter().map(|v| v * v).sum::<f64>().sqrt();
            if let Domain::Ball { radius } = domain
                && norm > radius
            {
                w.iter_mut().for_each(|v| *v *= radius / norm);
            }
            assert_close(&iterates[t - 1], &w, 1e-9);
            let alpha = t as f64 + 1.0;
            sum.iter_mut().zip(&w).for_each(|(s, w)| *s += alpha * w);
            total += alpha;
            assert_close(&points[t], &sum.iter().map(|s| s / total).collect::<Vec<_>>(), 1e-9);
        }
    }
}

#[test]
fn under_dahan_the_second_point_is_the_first_iterate_and_the_step_is_constant() {
    let (start, gradients) = (vec![0.3, -1.0, 2.0], aggregates(50, 3));
    let rule = AnytimeSgd { weight_decay: 0.1, ..AnytimeSgd::preset(Preset::Dahan) };
    let (points, iterates) = run(built(&rule, &start, Domain::Everywhere).as_mut(), &start, &gradients, 1);
    assert_close(&points[1], &iterates[0], 1e-15);
    let (mut w, mut x) = (start.clone(), start);
    for (i, gradient) in gradients.iter().enumerate() {
        let gamma = rule.average_weight(i as u64 + 1);
        // The decay is that of the query point.
        w = (0..3).map(|j| w[j] - 0.1 * (gradient[j] + 0.1 * x[j])).collect();
        x = (0..3).map(|j| (1.0 - gamma) * x[j] + gamma * w[j]).collect();
        assert_close(&points[i + 1], &x, 1e-12);
    }
}

/// From t = 190 on, x_{t+1} - x_t = 0.99 (x_t - x_{t-1}) - 0.01 lr · aggregate_t.
#[test]
fn under_dahan_the_averages_become_heavy_ball() {
    let (start, gradients) = (vec![0.3, -1.0, 2.0], aggregates(400, 3));
    let rule = AnytimeSgd { lr: 0.1, ..AnytimeSgd::preset(Preset::Dahan) };
    let (x, _) = run(built(&rule, &start, Domain::Everywhere).as_mut(), &start, &gradients, 1);
    let defect = |t: usize| {
        // x[i] is x_{i+1}.
        let at = |j: usize| {
            (x[t][j] - x[t - 1][j]) - 0.99 * (x[t - 1][j] - x[t - 2][j]) + 0.001 * gradients[t - 1][j]
        };
        (0..3).map(at).fold(0.0, |a: f64, b| a.max(b.abs()))
    };
    // Round 191 is the first whose predecessor has the same weight.
    (191..=400).for_each(|t| assert!(defect(t) < 1e-13, "t = {t}: {}", defect(t)));
    assert!(defect(150) > 1e-6, "not before");
}

#[test]
fn descent_goes_down_decays_and_stays_in_its_domain() {
    let (start, gradients) = (vec![0.3, -1.0, 2.0], aggregates(50, 3));
    let rule = Sgd { lr: 0.2, weight_decay: 0.05, ..Sgd::default() };
    let ball = Domain::Ball { radius: 2.0 };
    for domain in [Domain::Everywhere, ball] {
        let (points, _) = run(built(&rule, &start, domain).as_mut(), &start, &gradients, 1);
        let mut x = start.clone();
        for (t, gradient) in gradients.iter().enumerate() {
            x = x.iter().zip(gradient).map(|(x, g)| x - 0.2 * (g + 0.05 * x)).collect();
            let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
            if domain == ball && norm > 2.0 {
                x.iter_mut().for_each(|v| *v *= 2.0 / norm);
            }
            assert_close(&points[t + 1], &x, 1e-12);
        }
    }
}

/// Points after 20 steps of PyTorch 2.11, made by
/// ```python
/// import torch; L = torch.optim.lr_scheduler; torch.set_default_dtype(torch.float64)
/// def run(make, schedule=None):
///     x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
///     o = make([x]); s = schedule(o) if schedule else None
///     for t in range(1, 21):
///         x.grad = torch.tensor([(t % 3) - 1.5, 0.1 * t - 1.0, 3.0 / t])
///         o.step()
///         if s: s.step()
///     print(x.tolist())
/// SGD, Adam = torch.optim.SGD, torch.optim.Adam
/// run(lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05))
/// run(lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=True))
/// run(lambda p: Adam(p, lr=0.1, betas=(0.9, 0.99), eps=1e-3, weight_decay=0.05))
/// run(lambda p: SGD(p, lr=0.1), lambda o: L.MultiStepLR(o, [4, 9], 0.3))
/// run(lambda p: SGD(p, lr=0.1), lambda o: L.ExponentialLR(o, 0.9))
/// run(lambda p: SGD(p, lr=0.1), lambda o: L.CosineAnnealingLR(o, 20, 0.01))
/// ```
const PYTORCH: [[f64; 3]; 6] = [
    [5.171945962005209, 0.6623427512753808, -5.449495512978493],
    [5.277068979416001, 0.24626768049077832, -5.380548143873789],
    [1.4589434771076921, -0.11872179644989961, 0.6907420366523236],
    [0.8155, -0.7045, 1.2871360292571203],
    [0.8974775161098045, -0.7568466908188617, 1.2455500887843345],
    [1.032437932265101, -0.6939928127054258, 1.1154720058302856],
];

#[test]
fn momentum_adam_and_schedules_go_where_pytorch_goes() {
    let gradients: Vec<Vec<f64>> = (1..=20)
        .map(|t| vec![f64::from(t % 3) - 1.5, 0.1 * f64::from(t) - 1.0, 3.0 / f64::from(t)])
        .collect();
    let momentum = Sgd { lr: 0.1, momentum: 0.9, weight_decay: 0.05, ..Sgd::default() };
    let adam = Adam { lr: 0.1, bias_correction: true, weight_decay: 0.05, ..Adam::default() };
    let along = |schedule| Sgd { lr: 0.1, schedule, ..Sgd::default() };
    let at = |rule: &dyn Fn(&[f64]) -> Box<dyn Step>| {
        let start = [0.5, -1.0, 2.0];
        run(rule(&start).as_mut(), &start, &gradients, 1).0.pop().unwrap()
    };
    let everywhere = Domain::Everywhere;
    let ours = [
        at(&|start| built(&momentum, start, everywhere)),
        at(&|start| built(&Sgd { nesterov: true, ..momentum.clone() }, start, everywhere)),
        at(&|start| built(&adam, start, everywhere)),
        at(&|start| {
            built(&along(Schedule::MultiStep { milestones: vec![4, 9], decay: 0.3 }), start, everywhere)
        }),
        at(&|start| built(&along(Schedule::Exponential { decay: 0.9 }), start, everywhere)),
        at(&|start| built(&along(Schedule::Cosine { rounds: 20, end: 0.1 }), start, everywhere)),
    ];
    ours.iter().zip(&PYTORCH).for_each(|(ours, theirs)| assert_close(ours, theirs, 1e-12));
}

/// Algorithm 2 of Reddi et al. (2021), with aggregates in place of the negated differences.
#[test]
fn fedopt_steps_are_those_of_the_paper() {
    let (start, gradients) = (vec![0.3, -1.0, 2.0], aggregates(60, 3));
    let ball = Domain::Ball { radius: 2.2 };
    let (lr, beta1, beta2, tau, wd) = (0.03, 0.8, 0.95, 0.01, 0.1);
    let check = |step: Box<dyn Step>, beta1: f64, second: &dyn Fn(f64, f64) -> f64| {
        let (points, _) = run(step.clone().as_mut(), &start, &gradients, 1);
        let (mut x, mut m, mut v) = (start.clone(), [0.0; 3], [tau * tau; 3]);
        for (t, gradient) in gradients.iter().enumerate() {
            for j in 0..3 {
                let g = gradient[j] + wd * x[j];
                m[j] = beta1 * m[j] + (1.0 - beta1) * g;
                v[j] = second(v[j], g * g);
                x[j] -= lr / (t as f64 + 1.0).sqrt() * m[j] / (v[j].sqrt() + tau);
            }
            let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
            x.iter_mut().for_each(|v| *v *= (2.2 / norm).min(1.0));
            assert_close(&points[t + 1], &x, 1e-12);
        }
    };
    let schedule = Schedule::Power { power: 0.5, every: 1 };
    let adam = Adam { lr, beta1, beta2, tau, weight_decay: wd, schedule, bias_correction: false };
    let Adam { schedule, .. } = adam.clone();
    let yogi = Yogi { lr, beta1, beta2, tau, weight_decay: wd, schedule: schedule.clone() };
    let adagrad = Adagrad { lr, beta1: 0.0, tau, weight_decay: wd, schedule };
    check(built(&adam, &start, ball), beta1, &|v, square| beta2 * v + (1.0 - beta2) * square);
    check(built(&adagrad, &start, ball), 0.0, &|v, square| v + square);
    check(built(&yogi, &start, ball), beta1, &|v, square| {
        v - (1.0 - beta2) * square * if v > square { 1.0 } else { -1.0 }
    });
}

#[test]
fn a_power_stays_the_same_for_so_many_rounds() {
    let schedule = Schedule::Power { power: 1.0, every: 50 };
    let factors = [1, 50, 51, 100, 101, 151].map(|round| schedule.factor(round));
    assert_eq!(factors, [1.0, 1.0, 0.5, 0.5, 1.0 / 3.0, 0.25]);
}

#[test]
fn a_schedule_is_one_name_with_or_without_its_table() {
    let read = |schedule| serde_json::from_value::<Sgd>(serde_json::json!({ "schedule": schedule }));
    let of = |schedule| read(schedule).unwrap().schedule;
    assert_eq!(of("constant".into()), Schedule::Constant);
    assert_eq!(of("power".into()), Schedule::Power { power: 0.5, every: 1 });
    assert_eq!(
        of(serde_json::json!({ "cosine": { "rounds": 9 } })),
        Schedule::Cosine { rounds: 9, end: 0.0 }
    );
    let told = |schedule| read(schedule).unwrap_err().to_string();
    assert!(told("cosine".into()).contains("missing field `rounds`"));
    assert!(told("linear".into()).contains("unknown variant `linear`"));
    let two = serde_json::json!({ "cosine": { "rounds": 9 }, "power": {} });
    assert!(told(two).contains("one name is expected, and `power` stands beside another"));
}

/// A skipped round makes no step: Adam's correction goes by the steps that were made, a schedule by rounds.
#[test]
fn skipped_rounds_count_for_the_schedule_alone() {
    let (start, gradients) = (vec![1.0, 2.0], aggregates(6, 2));
    let adam = Adam { bias_correction: true, ..Adam::default() };
    let (from_one, _) = run(built(&adam, &start, Domain::Everywhere).as_mut(), &start, &gradients, 1);
    let (from_ten, _) = run(built(&adam, &start, Domain::Everywhere).as_mut(), &start, &gradients, 10);
    assert_eq!(from_one, from_ten);
    let schedule = Schedule::MultiStep { milestones: vec![10], decay: 0.0 };
    let sgd = Sgd { schedule, ..Sgd::default() };
    let (points, _) = run(built(&sgd, &start, Domain::Everywhere).as_mut(), &start, &gradients, 10);
    assert!(points[1] != points[0] && points[2] == points[1], "{points:?}");
}

/// Calls a function with every built-in step.
struct Each<F>(F);

impl<F: FnMut(&'static str, Box<dyn Step>)> StepVisitor for Each<F> {
    fn visit<S: StepRule>(&mut self) {
        for preset in [Preset::Paper, Preset::Dahan, Preset::Byzfl] {
            self.0(S::NAME, built(&S::preset(preset), &[1.0, 2.0], Domain::Everywhere));
        }
    }
}

#[test]
fn memory_is_data() {
    let gradients = aggregates(20, 2);
    let mut names = Vec::new();
    built_in(&mut Each(|name, mut step: Box<dyn Step>| {
        names.push(name);
        let mut fresh = step.clone();
        let (points, _) = run(step.as_mut(), &[1.0, 2.0], &gradients[..7], 1);
        fresh.restore(&step.state()).unwrap();
        let rest = run(fresh.as_mut(), &points[7], &gradients[7..], 8);
        assert_eq!(rest, run(step.as_mut(), &points[7], &gradients[7..], 8), "{name}");
        assert_eq!(step.state().vectors.len() as u64, step.holds(0, 0), "{name}");
    }));
    names.dedup();
    assert_eq!(names, ["sgd", "anytime-sgd", "adam", "yogi", "adagrad"]);
    let mut momentum = built(&Sgd { momentum: 0.5, ..Sgd::default() }, &[1.0, 2.0], Domain::Everywhere);
    let mut fresh = momentum.clone();
    let (points, _) = run(momentum.as_mut(), &[1.0, 2.0], &gradients[..7], 1);
    assert!(fresh.restore(&Default::default()).is_err());
    fresh.restore(&momentum.state()).unwrap();
    let rest = run(fresh.as_mut(), &points[7], &gradients[7..], 8);
    assert_eq!(rest, run(momentum.as_mut(), &points[7], &gradients[7..], 8));
    let mut anytime = built(&AnytimeSgd::default(), &[1.0, 2.0], Domain::Everywhere);
    assert!(anytime.restore(&Default::default()).is_err());
}

/// It would be another run's: of more parameters, or in another format.
#[test]
fn memory_of_another_form_is_refused() {
    fn check(entry: &str, rule: &impl StepRule) {
        let built = |start: Vector| rule.build(&start, Domain::Everywhere).unwrap();
        let mut step = built(vec![1.0, 2.0].into());
        let own = step.state();
        for other in [Vector::from(vec![1.0, 2.0, 3.0]), Vector::from(vec![1.0_f32, 2.0])] {
            let refused = step.restore(&built(other).state()).unwrap_err();
            let told = matches!(&refused, StateError::Unusable { entry: told, .. } if told == entry);
            assert!(told, "{entry}: {refused}");
        }
        step.restore(&own).unwrap();
    }
    check("velocity", &Sgd { momentum: 0.5, ..Sgd::default() });
    check("w", &AnytimeSgd::default());
    check("first", &Adam::default());
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    fn refused(rule: impl StepRule) -> String {
        rule.build(&vec![0f64].into(), Domain::Everywhere).map(|_| ()).unwrap_err().parameter.into_owned()
    }
    assert_eq!(refused(Sgd { lr: 0.0, ..Sgd::default() }), "lr");
    assert_eq!(refused(Sgd { weight_decay: -1.0, ..Sgd::default() }), "weight_decay");
    assert_eq!(refused(Sgd { momentum: 1.0, ..Sgd::default() }), "momentum");
    assert_eq!(refused(Adam { beta1: 1.0, ..Adam::default() }), "beta1");
    assert_eq!(refused(Yogi { beta2: -0.1, ..Yogi::default() }), "beta2");
    assert_eq!(refused(Adagrad { tau: 0.0, ..Adagrad::default() }), "tau");
    for (schedule, name) in [
        (Schedule::MultiStep { milestones: vec![], decay: 0.1 }, "multi-step.milestones"),
        (Schedule::MultiStep { milestones: vec![0, 4], decay: 0.1 }, "multi-step.milestones"),
        (Schedule::MultiStep { milestones: vec![4, 4], decay: 0.1 }, "multi-step.milestones"),
        (Schedule::MultiStep { milestones: vec![4], decay: 1.5 }, "multi-step.decay"),
        (Schedule::Exponential { decay: f64::NAN }, "exponential.decay"),
        (Schedule::Cosine { rounds: 0, end: 0.0 }, "cosine.rounds"),
        (Schedule::Cosine { rounds: 9, end: -0.1 }, "cosine.end"),
        (Schedule::Power { power: f64::INFINITY, every: 1 }, "power.power"),
        (Schedule::Power { power: 1.0, every: 0 }, "power.every"),
    ] {
        let path = format!("schedule.{name}");
        assert_eq!(refused(Sgd { schedule: schedule.clone(), ..Sgd::default() }), path);
        assert_eq!(refused(AnytimeSgd { schedule: schedule.clone(), ..AnytimeSgd::default() }), path);
        assert_eq!(refused(Adam { schedule, ..Adam::default() }), path);
    }
    assert_eq!(refused(AnytimeSgd { lr: f64::NAN, ..AnytimeSgd::default() }), "lr");
    assert_eq!(refused(AnytimeSgd { gamma: Some(1.5), ..AnytimeSgd::default() }), "gamma");
    assert_eq!(refused(AnytimeSgd { floor: -0.5, ..AnytimeSgd::default() }), "floor");
    assert_eq!(refused(AnytimeSgd { decimals: Some(99), ..AnytimeSgd::default() }), "decimals");
    assert_eq!(refused(AnytimeSgd { weight_decay: f64::NAN, ..AnytimeSgd::default() }), "weight_decay");
}
