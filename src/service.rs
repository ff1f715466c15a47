//! What needs several transactions, owners or tags: deposit addresses, hot wallets, custodial mixers, peel chains, pools, payment processors.
//!
//! Every answer is an inference: it carries its rule with the version, the transactions it rests on and a confidence, which is a grade
//! that the rule's author gave and no measured probability.

pub mod chips;
pub mod custodial_mixer;
pub mod deposit;
pub mod hot_wallet;
pub mod peel;
pub mod pool;
pub mod processor;
