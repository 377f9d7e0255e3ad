//! How much memory a run takes: vectors of d numbers, tables, an objective, passes of a model.

use std::fmt;

use super::{
    claim::{Claim, Scale},
    limit::size,
};

/// Vectors that the server holds, whatever the number of workers: query points, aggregate, the honest mean ...
const SERVER: u64 = 8;
/// Numbers that a chain of rules may hold for every pair of vectors: the Gram matrix, distances, weights.
const PAIRS: u64 = 3;

/// What a run needs beyond a data set, which is in memory by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Number of workers in a round.
    m: usize,
    /// Number of parameters.
    d: usize,
    /// Bytes of a number.
    number: u64,
    /// Vectors of d numbers alive at once, beside what estimators remember.
    vectors: u64,
    /// Vectors that the estimators of all workers remember.
    remembered: u64,
    /// Of these, those of the workers in a round.
    in_use: u64,
    /// How they are kept.
    kept: Kept,
    /// Bytes of tables of all pairs of vectors.
    tables: u64,
    /// Bytes that the objective will hold.
    objective: u64,
    /// Bytes that passes of the model hold at once.
    passes: u64,
}

/// How vectors that estimators remember are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// On a GPU, where they stay.
    pub gpu: bool,
    /// In 2 bytes a number.
    pub half: bool,
    /// In a file.
    pub file: bool,
}

impl Need {
    /// The need of groups of `m` members in all with these `claims`, in a run of this scale: every worker keeps what its
    /// estimator remembers, those called hold what a round takes.
    pub fn of(claims: Vec<Claim>, m: usize, scale: Scale) -> Self {
        let Scale { called, d, dtype, kept, .. } = scale;
        let sum = |part: fn(&Claim) -> u64| claims.iter().map(part).fold(0, u64::saturating_add);
        let share = |all: u64| (u128::from(all) * called as u128).div_ceil(m.max(1) as u128) as u64;
        let others = sum(|claim| claim.others).saturating_add(SERVER);
        let vectors = share(sum(|claim| claim.asked)).saturating_add(others);
        let (remembered, in_use) = (sum(|claim| claim.remembered), share(sum(|claim| claim.remembered)));
        let pairs = claims.iter().any(|claim| claim.pairs);
        let number = dtype.size() as u64;
        let need = Self {
            m: called,
            d,
            number,
            vectors,
            remembered,
            in_use,
            kept,
            tables: 0,
            objective: 0,
            passes: 0,
        };
        if pairs { need.and_pairs() } else { need }
    }

    /// The same, and so many vectors more.
    pub fn and_vectors(self, more: u64) -> Self {
        Self { vectors: self.vectors.saturating_add(more), ..self }
    }

    /// The same, and tables of all pairs of vectors.
    pub fn and_pairs(self) -> Self {
        let m = self.m as u64;
        Self { tables: product(&[PAIRS, m, m, size_of::<f64>() as u64]), ..self }
    }

    /// The same, and so many bytes that an objective will hold.
    pub fn and_objective(self, objective: u64) -> Self {
        Self { objective, ..self }
    }

    /// The same, and so many bytes that passes of the model hold at once.
    pub fn and_passes(self, passes: u64) -> Self {
        Self { passes, ..self }
    }

    /// All of it; the largest number for more than that.
    pub fn bytes(&self) -> u64 {
        let d = self.d as u64;
        let held = match self.kept {
            Kept { half: false, file: false, .. } => product(&[self.remembered, d, self.number]),
            // What was put away comes back as it was, for the workers in a round.
            Kept { file, .. } => {
                let packed = if file { 0 } else { self.stored() };
                packed.saturating_add(product(&[self.in_use, d, self.number]))
            }
        };
        [held, self.tables, self.objective, self.passes]
            .into_iter()
            .fold(product(&[self.vectors, d, self.number]), u64::saturating_add)
    }

    /// Bytes of what all estimators remember, as it is kept.
    pub fn stored(&self) -> u64 {
        product(&[self.remembered, self.d as u64, if self.kept.half { 2 } else { self.number }])
    }

    /// The same if a file holds it.
    pub fn spilled(&self) -> Option<u64> {
        self.kept.file.then(|| self.stored())
    }

    /// The same run with what estimators remember in a file.
    pub fn in_file(self) -> Self {
        Self { kept: Kept { file: true, ..self.kept }, ..self }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { m, d, number, vectors, remembered, in_use, kept, tables, objective, passes } = self;
        let held = vectors.saturating_add(if !kept.half && !kept.file { *remembered } else { *in_use });
        write!(f, "{m} workers hold {held} vectors of {d} numbers of {number} bytes")?;
        if kept.half && !kept.file {
            write!(f, ", and {remembered} in 2 bytes a number")?;
        }
        if *tables > 0 {
            write!(f, ", tables of {m} x {m} numbers {}", size(*tables))?;
        }
        if *objective > 0 {
            write!(f, ", the objective {}", size(*objective))?;
        }
        if *passes > 0 {
            let tile = if kept.gpu { " or a smaller task.tile" } else { "" };
            write!(f, ", passes of the model {} (less with smaller batches{tile})", size(*passes))?;
        }
        let filed = self.in_file();
        if !kept.gpu && !kept.file && filed.bytes() < self.bytes() {
            let (disk, left) = (size(filed.stored()), size(filed.bytes()));
            write!(f, "; machine.state = \"file\" puts {disk} on disk and needs {left}")?;
        }
        Ok(())
    }
}

fn product(factors: &[u64]) -> u64 {
    factors.iter().fold(1u64, |product, &factor| product.saturating_mul(factor))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use phalanx_robust::{
        Dtype, Size,
        attack::{AttackRule, Ipm},
        estimator::{EstimatorRule, Sgd},
    };

    use super::{
        super::{
            super::cast::{Group, Part},
            limit::tests::bytes,
        },
        Claim, Kept, Need, SERVER, Scale,
    };

    pub const PLAIN: Kept = Kept { gpu: false, half: false, file: false };

    /// two gradients and what is remembered of each worker.
    pub fn need(m: usize, d: usize) -> Need {
        let all = m as u64;
        let vectors = 2 * all + 8;
        let need = Need {
            m,
            d,
            number: 4,
            vectors,
            remembered: all,
            in_use: all,
            kept: PLAIN,
            tables: 0,
            objective: 0,
            passes: 0,
        };
        need.and_pairs()
    }

    #[test]
    fn what_is_put_away_counts_for_those_in_the_round() {
        // 100 of 100,000 workers with momentum: each of the 100 holds a gradient and its momentum.
        let need = Need {
            m: 100,
            d: 1000,
            number: 4,
            vectors: 108,
            remembered: 100_000,
            in_use: 100,
            kept: PLAIN,
            tables: 0,
            objective: 0,
            passes: 0,
        }
        .and_pairs();
        let pairs = 3 * 100 * 100 * 8;
        assert_eq!(need.bytes(), 100_108 * 4000 + pairs);
        let half = Need { kept: Kept { half: true, ..PLAIN }, ..need };
        assert_eq!(half.bytes(), 208 * 4000 + 100_000 * 2000 + pairs);
        assert_eq!((need.in_file().bytes(), need.in_file().stored()), (208 * 4000 + pairs, 400_000_000));
        assert_eq!(half.in_file().stored(), 200_000_000);
        let error = need.check(bytes(1_000_000)).unwrap_err().to_string();
        assert!(error.contains("machine.state = \"file\" puts 0.4 GB on disk"), "{error}");
        assert!(!need.in_file().check(bytes(1)).unwrap_err().to_string().contains("machine.state"));
        let gpu = Need { kept: Kept { gpu: true, ..PLAIN }, ..need };
        assert_eq!(gpu.bytes(), need.bytes());
        assert!(
            !gpu.check(bytes(1)).unwrap_err().to_string().contains("machine.state"),
            "vectors stay there"
        );
    }

    /// Not at that of a group, of which there may be several, nor of the whole cast.
    #[test]
    fn attacks_are_made_at_the_size_of_the_rounds() {
        let attack = Size::new(10, 4);
        let make = move |size| {
            assert_eq!(size, attack);
            Ipm::default().build(size)
        };
        let group = |ids, part| Group {
            key: String::new(),
            ids,
            part,
            batch_size: 1,
            estimator: Arc::new(|| Sgd::default().build()),
        };
        let forged = || Part::Attack { name: "ipm".to_owned(), make: Arc::new(make) };
        let groups = [group(0..12, Part::Honest), group(12..16, forged()), group(16..20, forged())];
        let scale =
            Scale { rounds: 1, called: 10, attack, d: 3, dtype: Dtype::F32, kept: PLAIN, walking: false };
        // of ten of the twenty, and of attackers the vector that a group sends
        let claims = groups.iter().map(|group| Claim::of(group, scale).unwrap()).collect();
        assert_eq!(Need::of(claims, 20, scale).vectors, 6 + SERVER + 2);
    }

    #[test]
    fn what_passes_hold_counts_too() {
        let need = need(17, 1000);
        let more = need.and_passes(3_000_000_000);
        assert_eq!(more.bytes(), need.bytes() + 3_000_000_000);
        let error = more.check(bytes(1_000_000)).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "of 4 bytes, tables of 17 x 17 numbers 6.9 kB, passes of the model 3.0 GB (less with \
                 smaller batches)"
            ),
            "{error}"
        );
    }

    #[test]
    fn what_an_objective_holds_counts_too() {
        let need = need(17, 1000);
        let more = need.and_objective(56_000_000);
        assert_eq!(more.bytes(), need.bytes() + 56_000_000);
        let error = more.check(bytes(1_000_000)).unwrap_err().to_string();
        assert!(error.ends_with("6.9 kB, the objective 56.0 MB"), "{error}");
    }

    #[test]
    fn tables_of_pairs_are_named_with_what_they_take() {
        // 40,000 workers of one parameter: what is large is the tables, 3 x 40,000^2 numbers of 8 bytes.
        let need = need(40_000, 1);
        assert!(Need { tables: 0, ..need }.check(bytes(1_000_000)).is_ok());
        let error = need.check(bytes(1_000_000_000)).unwrap_err().to_string();
        assert!(error.contains("the run needs about 38.4 GB"), "{error}");
        assert!(error.ends_with("tables of 40000 x 40000 numbers 38.4 GB"), "{error}");
    }

    #[test]
    fn no_size_overflows() {
        assert_eq!(need(usize::MAX / 4, usize::MAX).bytes(), u64::MAX);
    }
}
