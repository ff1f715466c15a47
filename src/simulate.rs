//! Chains with known truth, from a seed.

mod blk;
mod card;
mod coins;
mod custodian;
mod days;
mod fee;
mod founding;
mod mine;
mod mix;
mod plan;
mod quota;
mod rng;
mod spec;
mod thief;
mod town;
mod tumbler;
mod user;
mod wallet;
mod world;

pub use blk::BlockFiles;
pub use card::{Card, CardRow};
pub use mine::Mined;
pub use spec::{Programme, Stage, WorldSpec};
pub use world::World;
