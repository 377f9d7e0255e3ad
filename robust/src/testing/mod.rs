//! Whether a rule, an attack or an estimator keeps the promises that runs rest on. Built-ins are held against them by
//! this crate's own tests, and a component from outside by a test such as this one:
//!
//! ```
//! use phalanx_robust::{
//!     Size,
//!     aggregation::{CenteredClipping, Rule},
//!     testing::conform_rule,
//! };
//!
//! let rule = CenteredClipping { tau: 2.0, ..CenteredClipping::default() };
//! conform_rule(|| rule.build().unwrap(), Size::new(9, 2)).unwrap();
//! ```
//!
//! What is asked is what holds of any component, on inputs that are drawn; whether a rule withstands anything, and an
//! attack does harm, is for other tests, of which [`certify`](crate::certify) is one. A component that passes on some
//! inputs may break a promise on others.

mod attack;
mod bowl;
mod estimator;
mod memory;
mod rule;
mod trial;

use std::fmt;

pub use attack::conform_attack;
pub use bowl::Bowl;
pub use estimator::conform_estimator;
pub use rule::conform_rule;

use crate::Vector;

/// What the framework relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Promise {
    /// It works at the size that it is built for: there is no error.
    Works,
    /// It refuses what it cannot do by an error: it never panics.
    NoPanic,
    /// The same vectors and streams give the same bits, at any number of threads.
    SameBits,
    /// What it makes is of the length, format and number of what it is given.
    Fits,
    /// What it makes of finite vectors is finite.
    Finite,
    /// What [`state`](crate::state::Stateful::state) tells, written and read as JSON, is all that
    /// [`restore`](crate::state::Stateful::restore) needs to go on with the same bits.
    Memory,
    /// It holds no more vectors than [`holds`](crate::state::Stateful::holds) says.
    Holds,
    /// After [`forget`](crate::state::Stateful::forget) it is as it was made, if it can forget.
    Forgets,
    /// It asks for no table of pairs unless `needs_pairs` says so.
    Pairs,
    /// The distances that a rule reports are those of the vectors from its output.
    Distances,
    /// The weights that a rule gives are those of the rows: where neither draws nor workers matter, rows in another order
    /// have the same weights and the same output. Rows tie in no input, but a rule may make ties of its own.
    Order,
    /// A row that is not finite has no part in the result.
    SetAside,
    /// Pieces of the vectors come to pieces of the result where a rule says that it works coordinate by coordinate.
    Pieces,
    /// An attack looks at no more than it declares.
    Declared,
    /// An attack labels samples, and wants them predicted, as there are classes.
    Labels,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Works => "it works at this size",
            Self::NoPanic => "it never panics",
            Self::SameBits => "the same input gives the same bits",
            Self::Fits => "what it makes is like what it is given",
            Self::Finite => "what it makes of finite vectors is finite",
            Self::Memory => "its memory, taken as a value and given back, goes on with the same bits",
            Self::Holds => "it holds no more vectors than it says",
            Self::Forgets => "what forgets is as it was made",
            Self::Pairs => "it asks for pairs only if it says so",
            Self::Distances => "its distances are those from its output",
            Self::Order => "the order of the rows does not matter",
            Self::SetAside => "a row that is not finite has no part in the result",
            Self::Pieces => "pieces of the vectors come to pieces of the result",
            Self::Declared => "it looks at no more than it declares",
            Self::Labels => "it labels samples, and wants them predicted, as there are classes",
        })
    }
}

/// A promise that is not kept, with the input that showed it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("broken promise: {promise}: {found}, on {input}")]
pub struct Broken {
    /// Which one.
    pub promise: Promise,
    /// What was found instead.
    pub found: String,
    /// The input, in words.
    pub input: String,
    /// The vectors of the input: rows of a rule, what honest workers send, or a gradient.
    pub vectors: Vec<Vector>,
}
