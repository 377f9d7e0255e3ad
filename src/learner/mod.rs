//! What learns: the implementations of the cast's learner contract.

pub mod convex;
pub mod local;
#[cfg(feature = "torch")]
pub mod torch;

/// The version of libtorch that this program is bound to; none without the feature `torch`.
pub fn torch_version() -> Option<&'static str> {
    cfg!(feature = "torch").then_some("2.13.0")
}
