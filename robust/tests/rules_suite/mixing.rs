//! Pre-aggregators alone: the vectors a rule would see.

use phalanx_robust::{
    Dtype, Size, Vector,
    aggregation::{Context, Mixer, RuleError},
};
use serde_json::json;

use crate::{
    naive::arc,
    naive_selection::nnm,
    stage::{assert_close, gaussian, layer, plain, stream, vectors},
};

fn mixer(rules: &[&str]) -> Mixer {
    Mixer::new(rules.iter().map(|r| layer(r, &json!({}))).collect()).unwrap()
}

#[test]
fn nnm_and_arc_alone() {
    let x = gaussian(9, 21, 2);
    for (rules, expected) in
        [(&["nnm"][..], nnm(&x, 3)), (&["arc"], arc(&x, 3)), (&["arc", "nnm"], nnm(&arc(&x, 3), 3))]
    {
        let mixed = mixer(rules).mix(&vectors(&x, Dtype::F64), 3, stream(1)).unwrap();
        assert_eq!(mixed.size, Size::new(9, 3));
        for (row, expected) in mixed.rows.iter().zip(&expected) {
            assert_close(&row.to_f64(), expected, 1.0, 1e-12, "row");
        }
    }
}

#[test]
fn buckets_are_a_partition_into_means() {
    for (m, f, size) in [(17, 4, 2), (17, 8, 1), (16, 4, 1), (20, 3, 3), (9, 0, 9), (10, 1, 4)] {
        let x = gaussian(m, 3, m as u64);
        let mixed = mixer(&["bucketing"]).mix(&vectors(&x, Dtype::F64), f, stream(7)).unwrap();
        let k = m.div_ceil(size);
        assert_eq!((mixed.size, mixed.rows.len()), (Size::new(k, f), k), "m = {m}, f = {f}");
        assert!(f == 0 || k > 2 * f);
        let mut seen = vec![0; m];
        for b in 0..k {
            let members: Vec<usize> = mixed.weights.row(b).iter().map(|&(i, _)| i).collect();
            assert_eq!(members.len(), if b + 1 < k { size } else { m - size * (k - 1) });
            members.iter().for_each(|&i| seen[i] += 1);
            let mean = crate::naive::mean(&members.iter().map(|&i| &x[i]).collect::<Vec<_>>());
            assert_close(&mixed.rows[b].to_f64(), &mean, 1.0, 1e-12, "bucket");
        }
        assert!(seen.iter().all(|&n| n == 1));
    }
    let x = vectors(&gaussian(17, 3, 1), Dtype::F64);
    let draw = |seed| mixer(&["bucketing"]).mix(&x, 4, stream(seed)).unwrap().weights;
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn bucketing_refuses_a_majority_of_spoilt_buckets() {
    let pair = |size: usize| Mixer::new(vec![layer("bucketing", &json!({ "size": size }))]).unwrap();
    assert_eq!(pair(2).inner_size(Size::new(17, 4)).unwrap(), Size::new(9, 4));
    let refused = pair(2).inner_size(Size::new(16, 4)).unwrap_err();
    assert_eq!(refused.to_string(), "bucketing needs ceil(m/size) > 2f, which m = 16, f = 4 does not meet");
    assert!(pair(2).inner_size(Size::new(17, 8)).is_err());
    assert!(plain(&["bucketing", "krum"]).check(Size::new(17, 4)).is_err(), "krum on 9 buckets, 4 spoilt");
}

#[test]
fn what_is_not_finite_is_set_aside() {
    let mut x = gaussian(9, 5, 3);
    let clean: Vec<Vec<f64>> = (0..9).filter(|i| *i != 6).map(|i| x[i].clone()).collect();
    x[6][0] = f64::NAN;
    let mixed = mixer(&["nnm"]).mix(&vectors(&x, Dtype::F64), 2, stream(1)).unwrap();
    assert_eq!((mixed.set_aside, mixed.size), (vec![6], Size::new(8, 1)));
    for (k, expected) in nnm(&clean, 1).iter().enumerate() {
        assert_close(&mixed.rows[k].to_f64(), expected, 1.0, 1e-12, "row");
        assert_eq!(mixed.weights.weights(k)[6], 0.0);
    }
}

#[test]
fn what_is_not_finite_shows_in_what_is_made_of_it() {
    for bad in [[f64::NAN, 0.0], [0.0, f64::INFINITY], [f64::INFINITY, f64::NEG_INFINITY]] {
        let mut x = gaussian(9, 5, 3);
        (x[2][0], x[6][0]) = (bad[0], bad[1]);
        let aside: Vec<usize> = [2, 6].into_iter().filter(|&i| !x[i][0].is_finite()).collect();
        let mut pairs = Mixer::new(vec![layer("bucketing", &json!({ "size": 2 }))]).unwrap();
        let mixed = pairs.mix(&vectors(&x, Dtype::F64), 2, stream(1)).unwrap();
        assert_eq!(mixed.rows.len(), (9 - aside.len()).div_ceil(2));
        assert_eq!(mixed.set_aside, aside);
        assert!(mixed.rows.iter().all(Vector::is_finite));
    }
}

#[test]
fn owned_vectors_are_scaled_in_their_place_and_others_left_alone() {
    let mut x = gaussian(40, 7, 4);
    x[3][2] = f64::INFINITY;
    for rules in [&["clipping"][..], &["arc"], &["arc", "clipping"]] {
        for dtype in [Dtype::F32, Dtype::F64] {
            let rows = vectors(&x, dtype);
            let context = || Context::new(5, stream(1));
            let shared = mixer(rules).mix_in(&rows, context()).unwrap();
            let owned = mixer(rules).mix_owned(vectors(&x, dtype), context()).unwrap();
            assert_eq!((&owned.set_aside, &owned.weights), (&shared.set_aside, &shared.weights), "{rules:?}");
            let values = |rows: &[Vector]| rows.iter().map(Vector::to_f64).collect::<Vec<_>>();
            assert_eq!(values(&owned.rows), values(&shared.rows), "{rules:?}");
            assert_eq!(values(&rows), values(&vectors(&x, dtype)), "{rules:?} changed what it was lent");
            let scaled = |i: usize| owned.weights.row(i).iter().all(|&(_, w)| w < 1.0);
            assert!((0..owned.rows.len()).any(scaled), "{rules:?} does nothing here");
        }
    }
}

#[test]
fn a_mixer_holds_nothing_but_pre_aggregators() {
    for rules in [&[][..], &["cwmed"], &["ctma"], &["nnm", "cwmed"]] {
        let layers = rules.iter().map(|r| layer(r, &json!({}))).collect();
        assert!(matches!(Mixer::new(layers).err(), Some(RuleError::Chain(_))), "{rules:?}");
    }
}
