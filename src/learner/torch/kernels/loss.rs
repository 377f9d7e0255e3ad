//! Cross-entropy.

use super::Real;

/// Sum of the cross-entropies of a batch, and how many samples are classified as labelled.
pub(super) struct Score {
    pub loss: f64,
    pub right: usize,
}

/// The score of `logits` `[b, classes]`; `gradient`, if given, becomes that of the mean loss, and `predicted` is told the
/// class of every sample.
pub(super) fn cross_entropy<T: Real>(
    logits: &[T],
    classes: usize,
    labels: &[i64],
    mut gradient: Option<&mut [T]>,
    mut predicted: impl FnMut(usize),
) -> Score {
    let mut score = Score { loss: 0.0, right: 0 };
    let share = 1.0 / labels.len() as f64;
    for (n, (logits, &label)) in logits.chunks_exact(classes).zip(labels).enumerate() {
        let label = label as usize;
        let largest = largest(logits);
        let top = logits[largest].to_f64();
        let sum: f64 = logits.iter().map(|z| (z.to_f64() - top).exp()).sum();
        score.loss += sum.ln() - (logits[label].to_f64() - top);
        score.right += usize::from(largest == label);
        predicted(largest);
        if let Some(gradient) = gradient.as_deref_mut() {
            for (c, (g, z)) in gradient[n * classes..].iter_mut().zip(logits).enumerate() {
                let hit = if c == label { 1.0 } else { 0.0 };
                *g = T::from_f64(((z.to_f64() - top).exp() / sum - hit) * share);
            }
        }
    }
    score
}

/// Position of the first largest value; of the first NaN if there is one.
fn largest<T: Real>(values: &[T]) -> usize {
    let nan = |v: &T| v.to_f64().is_nan();
    values.iter().position(nan).unwrap_or_else(|| {
        (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
    })
}
