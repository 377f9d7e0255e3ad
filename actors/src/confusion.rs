//! What was taken for what: the counts from which all that is said of single
//! classes follows. A learner counts as it evaluates; observers read.

/// How many samples of every class were predicted as every class.
///
/// A class without samples has no recall, one that is never predicted no precision, and one that has neither no F1: these
/// are NaN, and means over classes are without them.
///
/// ```
/// use phalanx_actors::Confusion;
///
/// let mut counts = Confusion::new(3);
/// for (label, predicted) in [(0, 0), (0, 1), (1, 1), (1, 1)] {
///     counts.count(label, predicted);
/// }
/// let one = counts.class(1);
/// assert_eq!((one.samples, one.predicted, one.right), (2, 3, 2));
/// assert_eq!((one.recall(), one.precision(), one.f1()), (1.0, 2.0 / 3.0, 0.8));
/// assert_eq!(counts.balanced_accuracy(), 0.75); // class 2 has no samples
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// By label and prediction, row by row.
    counts: Vec<u64>,
}

/// What became of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCounts {
    /// Samples of the class.
    pub samples: u64,
    /// Samples that were predicted as it.
    pub predicted: u64,
    /// Those that are both.
    pub right: u64,
}

impl ClassCounts {
    /// right / samples.
    pub fn recall(&self) -> f64 {
        self.right as f64 / self.samples as f64
    }

    /// right / predicted.
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.predicted as f64
    }

    /// The harmonic mean of the two, 2 right / (samples + predicted).
    pub fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.samples + self.predicted) as f64
    }
}

impl Confusion {
    /// Most classes of which a run counts all pairs, 8 MB for an evaluation.
    pub const MOST: usize = 1000;

    /// Nothing counted yet, of so many classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts a sample of class `label` that was predicted as the class `predicted`.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn count(&mut self, label: usize, predicted: usize) {
        let classes = self.classes;
        assert!(label < classes && predicted < classes, "class {label} as {predicted} of {classes}");
        self.counts[label * classes + predicted] += 1;
    }

    /// Number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The predictions of the samples of class `label`, by class.
    fn of(&self, label: usize) -> &[u64] {
        &self.counts[label * self.classes..][..self.classes]
    }

    /// Every pair of a label and a prediction that occurred, with its number of samples, in this order.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        let all = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        all.map(|(at, &count)| (at / self.classes, at % self.classes, count))
    }

    /// Number of samples.
    pub fn samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Samples that were predicted as what they are.
    pub fn right(&self) -> u64 {
        (0..self.classes).map(|class| self.of(class)[class]).sum()
    }

    /// What became of `class`.
    pub fn class(&self, class: usize) -> ClassCounts {
        ClassCounts {
            samples: self.of(class).iter().sum(),
            predicted: (0..self.classes).map(|label| self.of(label)[class]).sum(),
            right: self.of(class)[class],
        }
    }

    /// All classes in their order.
    pub fn each(&self) -> impl Iterator<Item = ClassCounts> {
        (0..self.classes).map(|class| self.class(class))
    }

    /// Mean of the recalls.
    pub fn balanced_accuracy(&self) -> f64 {
        mean(self.each().map(|class| class.recall()))
    }

    /// Mean of the F1.
    pub fn macro_f1(&self) -> f64 {
        mean(self.each().map(|class| class.f1()))
    }

    /// The success of attacks that want samples to be predicted as another class, of which each entry of `targets` holds
    /// one for every label: the fraction that is, of the samples of which an attack wants anything. A target that is the
    /// label itself is none. NaN if there are no such samples.
    pub fn attack_success(&self, targets: &[Vec<usize>]) -> f64 {
        let (mut wanted, mut taken) = (0, 0);
        for label in 0..self.classes {
            let mut others: Vec<usize> = targets.iter().map(|target| target[label]).collect();
            others.retain(|target| *target != label);
            others.sort_unstable();
            others.dedup();
            if !others.is_empty() {
                wanted += self.of(label).iter().sum::<u64>();
                taken += others.iter().map(|&target| self.of(label)[target]).sum::<u64>();
            }
        }
        taken as f64 / wanted as f64
    }
}

/// The mean of those values that are numbers; NaN without any.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.filter(|value| !value.is_nan()).fold((0.0, 0), |(s, n), v| (s + v, n + 1));
    sum / f64::from(count)
}
