//! Every rule against an oracle written from its paper's equation, the laws that rules obey, the two inequalities
//! of CTMA, the one-round table of the reproduction, and the chain that a server runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agree;
mod chain;
mod detection;
mod federated;
mod hard;
mod inequalities;
mod judging;
mod laws;
mod likeness;
mod masking;
mod memory;
mod mixing;
mod naive;
mod naive_detection;
mod naive_federated;
mod naive_selection;
mod naive_spectral;
mod one_round;
mod splitting;
mod stage;
mod tensors;
mod theory;
