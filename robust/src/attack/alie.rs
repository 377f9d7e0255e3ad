//! A little is enough.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::{Attack, AttackError, AttackRule, Knowledge, View, statistics::moments};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// On which side of the honest mean the attackers stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// mu - z sigma.
    #[default]
    Minus,
    /// mu + z sigma.
    Plus,
}

/// The share p of workers from which z = Phi^-1(p) follows; s = floor(m/2 + 1) - f supporters are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// (m - f - s) / (m - f), the share among the honest workers.
    #[default]
    Honest,
    /// (m - s) / m, the share among all workers, as ByzPy has it.
    All,
}

/// A little is enough: all send mu - z · sigma, with the mean mu and the standard deviation sigma of
/// the honest vectors of this round at every coordinate. By default z = Phi^-1((m - f - s)/(m - f))
/// with s = floor(m/2 + 1) - f, fixed for the run; it is negative for a small f and an even m. Preset
/// `byzfl` is mu + 1.5 sigma. The text of the paper adds, the released code of Dahan & Levy subtracts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Alie {
    /// The number of standard deviations; without it, Phi^-1 of `share`.
    pub z: Option<f64>,
    /// The share of workers from which z follows if it is not given.
    pub share: Share,
    /// On which side of the honest mean the attackers stand.
    pub sign: Sign,
    /// What the divisor of the variance is less than the number of honest vectors: 1 (unbiased) or 0.
    #[schemars(range(min = 0, max = 1))]
    pub ddof: usize,
}

impl Default for Alie {
    fn default() -> Self {
        Self { z: None, share: Share::Honest, sign: Sign::Minus, ddof: 1 }
    }
}

impl Described for Alie {
    const NAME: &'static str = "alie";
    const SOURCE: &'static str = "Baruch, Baruch & Goldberg, 2019";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Paper | Preset::Dahan => Self::default(),
            Preset::Byzfl => Self { z: Some(1.5), sign: Sign::Plus, ..Self::default() },
        }
    }
}

impl Alie {
    /// The number of standard deviations at this size.
    ///
    /// # Errors
    /// [`ParameterError`] if `z` is not finite, or not given and the formula has no finite value at this size.
    pub fn deviations(&self, size: Size) -> Result<f64, ParameterError> {
        match self.z {
            Some(z) => ParameterError::finite("z", z).map(|()| z),
            None => quantile(self.share, size),
        }
    }
}

/// z = Phi^-1(p) for the share p of this size.
pub(super) fn quantile(share: Share, Size { m, f }: Size) -> Result<f64, ParameterError> {
    let supporters = (m / 2 + 1) as f64 - f as f64;
    let among = match share {
        Share::Honest => m as f64 - f as f64,
        Share::All => m as f64,
    };
    let p = (among - supporters) / among;
    if !(p > 0.0 && p < 1.0) {
        return Err(ParameterError::new("z", "none", "a value, for at these m and f its formula has none"));
    }
    Ok(Normal::standard().inverse_cdf(p))
}

impl AttackRule for Alie {
    fn build(&self, size: Size) -> Result<Box<dyn Attack>, ParameterError> {
        if self.ddof > 1 {
            return Err(ParameterError::new("ddof", self.ddof, "0 or 1"));
        }
        let z = self.deviations(size)?;
        let step = match self.sign {
            Sign::Minus => -z,
            Sign::Plus => z,
        };
        let remark = remark(self.z, z, size, "the honest mean itself is sent");
        Ok(Box::new(Beside { step, ddof: self.ddof, remark }))
    }
}

/// Stands `step` standard deviations beside the mean.
#[derive(Clone)]
struct Beside {
    step: f64,
    ddof: usize,
    remark: Option<String>,
}

/// What to say of a `z` that was not given and so follows from the size, if it makes no attack: of one that is zero
/// that `nothing` comes of it.
pub(super) fn remark(given: Option<f64>, z: f64, Size { m, f }: Size, nothing: &str) -> Option<String> {
    const LEAST: f64 = 1e-6;
    let what = match z {
        _ if given.is_some() || z >= LEAST => return None,
        z if z.abs() < LEAST => nothing,
        _ => "what is sent lies on the other side",
    };
    Some(format!("z = {z:.3} follows from m = {m} and f = {f}: {what}; z can be given"))
}

impl Stateful for Beside {}

impl Attack for Beside {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn remark(&self) -> Option<String> {
        self.remark.clone()
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let moments = moments(view.honest()?, self.ddof);
        let mut vector = moments.mean;
        vector.axpy(self.step, &moments.deviation);
        Ok(view.everyone(&vector))
    }
}
