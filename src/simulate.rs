//! Chains with known truth, from a seed.

mod mine;
mod plan;
