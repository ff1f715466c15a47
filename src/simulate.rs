//! Chains with known truth, from a seed.

mod coins;
mod custodian;
mod days;
mod founding;
mod mine;
mod mix;
mod plan;
mod probe;
mod quota;
mod rng;
mod spec;
mod thief;
mod town;
mod tumbler;
mod user;
mod wallet;

pub use spec::{Programme, Stage, WorldSpec};
