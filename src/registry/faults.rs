//! The faults that `[[faults]]` may name: what happens to a worker, or to its
//! submission on the way to the barrier. The config structs of
//! [`phalanx_actors::fault::What`]; times are virtual seconds.

use phalanx_actors::{Delay, What};
use phalanx_robust::describe::{Described, ParameterError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Kind;

/// A fault as configured.
trait FaultRule: Described {
    /// What happens.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn what(&self) -> Result<What, ParameterError>;
}

/// Adds all of them.
pub(super) fn register(faults: &mut Kind<What>) {
    fn add<F: FaultRule + DeserializeOwned>(faults: &mut Kind<What>) {
        faults.add(|config: F| config.what());
    }
    add::<Crash>(faults);
    add::<ConstantDelay>(faults);
    add::<UniformDelay>(faults);
    add::<ExponentialDelay>(faults);
    add::<LognormalDelay>(faults);
    add::<ParetoDelay>(faults);
    add::<Silence>(faults);
    add::<OutOfOrder>(faults);
    add::<Duplicate>(faults);
    add::<Replay>(faults);
    add::<WrongLength>(faults);
    add::<WrongRound>(faults);
    add::<Nan>(faults);
    add::<Inf>(faults);
    add::<Impostor>(faults);
    add::<Flood>(faults);
}

/// Where the kinds of fault come from.
const SOURCE: &str = "folklore";

macro_rules! fault {
    ($name:ident, $toml:literal, $source:expr, $self:ident => $what:expr) => {
        impl Described for $name {
            const NAME: &'static str = $toml;
            const SOURCE: &'static str = $source;
        }

        impl FaultRule for $name {
            fn what(&$self) -> Result<What, ParameterError> {
                $what
            }
        }
    };
}

/// What is left of a worker's memory when it comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Memory {
    /// Nothing: its estimator begins anew.
    #[default]
    Lost,
    /// All of it.
    Kept,
}

/// It is down, and known to be: it is not asked, computes nothing, and costs no waiting. It comes back behind the
/// last of its rounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Crash {
    /// Rounds that it stays down from each round that the table strikes; 0: the struck rounds alone.
    #[schemars(range(min = 0, max = 1_000_000))]
    rounds: u64,
    /// What it remembers when it comes back (its momentum).
    memory: Memory,
}
fault!(Crash, "crash", SOURCE, self => {
    ParameterError::unless(self.rounds <= 1_000_000, "rounds", self.rounds, "at most 1000000")?;
    Ok(What::Crash { rounds: self.rounds, remembers: self.memory == Memory::Kept })
});

/// Its messages take always the same time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ConstantDelay {
    /// How long, in seconds.
    #[schemars(range(min = 0.0))]
    seconds: f64,
}
fault!(ConstantDelay, "constant-delay", SOURCE, self => Delay::constant(self.seconds).map(What::Delay));

/// Its messages take a time that is uniform between two bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct UniformDelay {
    /// The least, in seconds.
    #[schemars(range(min = 0.0))]
    min: f64,
    /// The most, in seconds.
    #[schemars(range(min = 0.0))]
    max: f64,
}
fault!(UniformDelay, "uniform-delay", SOURCE, self => Delay::uniform(self.min, self.max).map(What::Delay));

/// Its messages take `min` and an exponentially distributed time behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ExponentialDelay {
    /// The least, in seconds.
    #[schemars(range(min = 0.0))]
    min: f64,
    /// Mean of the time behind it, in seconds.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    mean: f64,
}
fault!(ExponentialDelay, "exponential-delay", "Lee et al., 2018 (shifted exponential stragglers)", self => {
    Delay::exponential(self.min, self.mean).map(What::Delay)
});

/// Its messages take a time whose logarithm is normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LognormalDelay {
    /// Half of the messages take longer, in seconds.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    median: f64,
    /// Standard deviation of the logarithm.
    #[schemars(range(min = 0.0, max = 10.0))]
    sigma: f64,
}
fault!(LognormalDelay, "lognormal-delay", SOURCE, self => {
    Delay::lognormal(self.median, self.sigma).map(What::Delay)
});

/// Its messages take a time with a heavy tail: P(X > x) = (min/x)^shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ParetoDelay {
    /// The least, in seconds.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    min: f64,
    /// The smaller, the heavier is the tail; up to 1 there is no mean.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    shape: f64,
}
fault!(ParetoDelay, "pareto-delay", SOURCE, self => Delay::pareto(self.min, self.shape).map(What::Delay));

/// It computes, and nothing of it arrives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Silence {}
fault!(Silence, "silence", SOURCE, self => Ok(What::Silence));

/// Its submission arrives in a later round, where it is refused; in its own round nothing arrives. It never does if the
/// worker takes no part in that later round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct OutOfOrder {
    /// How many rounds later.
    #[schemars(range(min = 1))]
    rounds: u64,
}
fault!(OutOfOrder, "out-of-order", SOURCE, self => {
    ParameterError::unless(self.rounds > 0, "rounds", self.rounds, "at least 1")?;
    Ok(What::OutOfOrder { rounds: self.rounds })
});

/// Its submission arrives more than once; the first counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Duplicate {
    /// How many times more.
    #[schemars(range(min = 1, max = 100_000_000))]
    copies: u64,
}
fault!(Duplicate, "duplicate", SOURCE, self => {
    ParameterError::unless((1..=MOST).contains(&self.copies), "copies", self.copies, "1 to 100000000")?;
    Ok(What::Duplicate { copies: self.copies })
});

/// Its submission of an earlier round, if it sent one in that, arrives again, before the new one, and is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Replay {
    /// How many rounds earlier.
    #[schemars(range(min = 1))]
    age: u64,
}
fault!(Replay, "replay", SOURCE, self => {
    ParameterError::unless(self.age > 0, "age", self.age, "at least 1")?;
    Ok(What::Replay { age: self.age })
});

/// Its vector has a wrong number of coordinates, and is refused; it takes no memory, however long it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WrongLength {
    /// How many coordinates, but not as many as the model has; without it, one more.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
}
fault!(WrongLength, "wrong-length", SOURCE, self => {
    let length = self.length.unwrap_or(0);
    ParameterError::unless(length <= 1 << 32, "length", length, "at most 4294967296")?;
    Ok(What::WrongLength { length: self.length })
});

/// Its submission names another round, and is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WrongRound {
    /// How far ahead; negative for a round that is over.
    #[schemars(extend("not" = { "const": 0 }))]
    by: i64,
}
fault!(WrongRound, "wrong-round", SOURCE, self => {
    ParameterError::unless(self.by != 0, "by", self.by, "not 0")?;
    Ok(What::WrongRound { by: self.by })
});

/// Every coordinate of its vector is NaN: the rule sets it aside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Nan {}
fault!(Nan, "nan", SOURCE, self => Ok(What::Nan));

/// Every coordinate of its vector is infinite: the rule sets it aside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Inf {}
fault!(Inf, "inf", SOURCE, self => Ok(What::Inf));

/// It submits in the name of another worker, and is refused; the other one is not harmed. Who submits in its own name
/// anyhow is not struck.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Impostor {
    /// In whose; without it, in that of the worker with the next id.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<usize>,
}
fault!(Impostor, "impostor", "Douceur, 2002 (Sybil attacks)", self => Ok(What::Impostor { of: self.of }));

/// It sends its submission very often; the first counts, the others are refused one by one and never stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Flood {
    /// How often.
    #[schemars(range(min = 1, max = 100_000_000))]
    messages: u64,
}
fault!(Flood, "flood", SOURCE, self => {
    ParameterError::unless((1..=MOST).contains(&self.messages), "messages", self.messages, "1 to 100000000")?;
    Ok(What::Flood { messages: self.messages })
});

/// Most messages that one fault makes of one: they take some five seconds of processor time.
const MOST: u64 = 100_000_000;

macro_rules! default {
    ($($name:ident { $($field:ident: $value:expr),* })*) => {
        $(impl Default for $name {
            fn default() -> Self {
                Self { $($field: $value),* }
            }
        })*
    };
}

default! {
    ConstantDelay { seconds: 0.1 }
    UniformDelay { min: 0.0, max: 0.2 }
    ExponentialDelay { min: 0.0, mean: 0.1 }
    LognormalDelay { median: 0.1, sigma: 1.0 }
    ParetoDelay { min: 0.1, shape: 2.0 }
    OutOfOrder { rounds: 1 }
    Duplicate { copies: 1 }
    Replay { age: 1 }
    WrongRound { by: -1 }
    Flood { messages: 10_000 }
}

#[cfg(test)]
mod tests {
    use super::{Kind, register};
    use crate::config::Named;
    use phalanx_robust::describe::Preset;

    /// `faults.csv` and metrics call a fault as `[[faults]]` does.
    #[test]
    fn a_fault_has_one_name() {
        let mut faults = Kind::new("fault");
        register(&mut faults);
        let names: Vec<String> = faults.cards().map(|card| card.name.clone()).collect();
        for name in names {
            let made = faults.make(&Named::plain(&name), Preset::Paper).unwrap();
            assert_eq!(made.component.name(), name);
        }
    }
}
