//! What is proved about a rule, and what a round shows of it.
//!
//! A rule is (f, kappa)-robust (Allouah et al., 2023) if for every set G of m - f rows, with mean x̄ and
//! variance v = (1/|G|) Σ ‖x_i - x̄‖², its output is within kappa · v of x̄, squared. It is (c, delta)-robust
//! (Dahan & Levy, 2024) if the expected squared distance is at most c · rho², where rho² bounds the expected
//! squared distance between two honest rows; kappa is such a c.

use crate::{Size, Vector};

/// Which robustness a bound is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// kappa of (f, kappa)-robustness: for every input, against the variance of the honest rows.
    Kappa,
    /// c of (c, delta)-robustness: in expectation, against the squared distance of two honest rows.
    C,
}

/// A published bound on how far a rule can be moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// Its value.
    pub coefficient: f64,
    /// What it multiplies.
    pub meaning: Meaning,
    /// How it follows from m, f, r = f/(m - 2f) and delta = f/m.
    pub formula: String,
    /// Who proved it.
    pub source: String,
}

impl Bound {
    /// A bound on kappa.
    pub fn kappa(coefficient: f64, formula: &str, source: &str) -> Self {
        Self { coefficient, meaning: Meaning::Kappa, formula: formula.into(), source: source.into() }
    }

    /// The bound of a rule over a rule with this bound; a `?` in the formula stands for the inner one's.
    pub fn over(&self, coefficient: f64, meaning: Meaning, formula: &str, source: &str) -> Self {
        let formula = formula.replace('?', &self.formula);
        Self { coefficient, meaning, formula, source: format!("{source}, over {}", self.source) }
    }
}

/// r = f/(m - 2f), in which most bounds are stated; infinite where half of the rows may be Byzantine.
pub(super) fn ratio(size: Size) -> f64 {
    match size.m.checked_sub(size.f.saturating_mul(2)) {
        None | Some(0) => f64::INFINITY,
        Some(spare) => size.f as f64 / spare as f64,
    }
}

/// The coefficient of one round: ‖output - x̄‖² / v for the mean x̄ and the variance v of the rows `honest`.
/// 0 if the output is x̄, infinite if it is not although the honest rows agree. A lower bound on kappa.
///
/// # Panics
/// If `honest` is empty or names a row that is not there.
pub fn robustness_coefficient(rows: &[Vector], honest: &[usize], output: &Vector) -> f64 {
    let mean = mean(rows, honest);
    let variance =
        honest.iter().map(|&i| distance2(&rows[i].to_f64(), &mean)).sum::<f64>() / honest.len() as f64;
    share(distance2(&output.to_f64(), &mean), variance)
}

/// As [`robustness_coefficient`], against the largest squared distance of two honest rows: a lower bound on c.
///
/// # Panics
/// If `honest` is empty or names a row that is not there.
pub fn pairwise_coefficient(rows: &[Vector], honest: &[usize], output: &Vector) -> f64 {
    let error = distance2(&output.to_f64(), &mean(rows, honest));
    let values: Vec<Vec<f64>> = honest.iter().map(|&i| rows[i].to_f64()).collect();
    let pairs = values.iter().enumerate().flat_map(|(i, x)| values[..i].iter().map(move |y| distance2(x, y)));
    share(error, pairs.fold(0.0, f64::max))
}

fn mean(rows: &[Vector], honest: &[usize]) -> Vec<f64> {
    let n = honest.len() as f64;
    let mut mean = vec![0.0; rows[honest[0]].len()];
    for &i in honest {
        mean.iter_mut().zip(rows[i].to_f64()).for_each(|(sum, x)| *sum += x / n);
    }
    mean
}

fn distance2(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum()
}

fn share(error: f64, spread: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error / spread }
}
