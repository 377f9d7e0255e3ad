//! Rule × attack, with the worst case over the attacks.

use super::{
    super::{
        curves::titled,
        factors::is_of_problem,
        plot::{DrawError, Heat},
        study::{Study, combinations, having, pick},
    },
    Gallery, Map,
    cells::{cell, is_free, spans_decades, worst},
};

impl Gallery<'_> {
    /// Rule × attack with the worst case, if runs differ in both.
    pub(super) fn attacks(&mut self) -> Result<(), DrawError> {
        let study = self.study;
        let attack = study.factors_below("attack");
        let layout = study.layout.without(&attack);
        let across = [&layout.columns[..], &layout.rows, &layout.colour].concat();
        if attack.is_empty() || across.is_empty() {
            return Ok(());
        }
        let split = &layout.split;
        let problem = |levels: &[usize]| -> Vec<usize> {
            let those = split.iter().zip(levels).filter(|(at, _)| is_of_problem(&study.factors[**at].key));
            those.map(|(_, &level)| level).collect()
        };
        let map = |levels: Vec<usize>| Map {
            problem: problem(&levels),
            stem: self.stem("rule-attack", (&study.layout.split, &levels)),
            heat: under_attacks(study, (split, &levels), &across, &attack),
        };
        let maps: Vec<Map> = study.combinations(split).into_iter().map(map).collect();
        self.maps(&maps)
    }
}

/// The map with the values `levels` of the factors `which`; the worst case stands apart, where somebody attacks.
fn under_attacks(
    study: &Study,
    (which, levels): (&[usize], &[usize]),
    across: &[usize],
    attack: &[usize],
) -> Heat {
    let here = having(&study.series, which, levels);
    let [rows, attacks] = [across, attack].map(|which| combinations(here.iter().copied(), which));
    let attacked: Vec<&Vec<usize>> =
        attacks.iter().filter(|levels| !is_free(study, attack, levels)).collect();
    let any = !attacked.is_empty();
    let under = |row: &[usize], levels: &[usize]| {
        here.iter().copied().find(|s| pick(s, across) == row && pick(s, attack) == levels)
    };
    let cells = |row: &Vec<usize>| {
        let cases: Vec<_> = attacked.iter().map(|levels| under(row, levels)).collect();
        let cells = attacks.iter().map(|levels| cell(study, under(row, levels)));
        cells.chain(any.then(|| worst(study, &cases))).collect()
    };
    let columns = attacks.iter().map(|levels| study.label(attack, levels));
    let beside = any && attacked.len() < attacks.len();
    let but = if beside { "; the worst case is over the attacks, without “no attack”" } else { "" };
    let title =
        if any { "worst case over attacks".to_owned() } else { format!("final {}", study.measure.title) };
    Heat {
        title: titled(study, &title, (&study.layout.split, levels)),
        what: format!("final {}, mean over seeds{but}", study.measure.label()),
        across: "attack".to_owned(),
        cells: rows.iter().map(cells).collect(),
        columns: columns.chain(any.then(|| "worst case".to_owned())).collect(),
        rows: rows.iter().map(|row| study.label(across, row)).collect(),
        apart: any,
        higher_is_better: study.measure.higher_is_better,
        log: spans_decades(study),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        super::study::{
            Run,
            tests::{altered, ended_at, failed, run, study},
        },
        figures,
        tests::count,
    };

    #[test]
    fn an_attack_that_destroys_a_run_is_the_worst_case() {
        let runs = ["'mean'", "'cwmed'"].map(|rule| ["ipm", "alie"].map(|attack| run(1, rule, attack, "")));
        let [[kept, lost], other] = runs;
        let runs: Vec<Run> = [kept, failed(lost)].into_iter().chain(other).collect();
        let figures = figures(&study(runs)).unwrap();
        assert_eq!(count(&figures, "rule-attack", "failed"), 2, "the cell of the attack and the worst case");
        assert_eq!(count(&figures, "rule-attack", "50.00"), 4);
    }

    /// Without attackers the mean does worst here, and f is another number: it is no case of an attack.
    #[test]
    fn runs_without_attackers_are_no_case_of_an_attack() {
        let attackers = "[[attackers]]\ncount = 4\nattack = \"ipm\"\n";
        let mut runs = Vec::new();
        for rule in ["'mean'", "'cwmed'"] {
            runs.push(ended_at(altered(run(1, rule, "ipm", ""), attackers, ""), 0.25));
            runs.push(ended_at(run(1, rule, "ipm", ""), 0.75));
        }
        let study = study(runs);
        let figures = figures(&study).unwrap();
        assert_eq!(["25.00", "75.00"].map(|text| count(&figures, "rule-attack", text)), [2, 4]);
        let told = "final test accuracy (%), mean over seeds; the worst case is over the attacks, without “no attack”";
        assert_eq!(count(&figures, "rule-attack", told), 1);
    }

    /// A worst case over no attack would be no worst case. The maps share their colours: without the others, that of f = 0,
    /// whose numbers are all one, had no bar of them.
    #[test]
    fn without_attackers_there_is_no_worst_case() {
        let attackers = "[[attackers]]\ncount = 4\nattack = \"ipm\"\n";
        let mut runs = Vec::new();
        for rule in ["'mean'", "'cwmed'"] {
            runs.push(altered(run(1, rule, "ipm", ""), attackers, ""));
            for attack in ["ipm", "alie"] {
                runs.push(altered(run(1, rule, attack, ""), "count = 4", "count = 1"));
                runs.push(ended_at(run(1, rule, attack, ""), 0.9));
            }
        }
        let figures = figures(&study(runs)).unwrap();
        let worst = |f: usize| count(&figures, &format!("rule-attack-f-{f}"), "worst case");
        assert_eq!([0, 1, 4].map(worst), [0, 1, 1]);
        let free = |text| count(&figures, "rule-attack-f-0", text);
        assert_eq!(["Final test accuracy, f = 0", "50.00", "60", "80"].map(free), [1, 2, 1, 1]);
    }
}
