//! Mixers that hold the coins: who pays in, and what may be paid out for it.
//!
//! What a customer gets has nothing to do with what the customer gave: no rule of taint leads through. What is left is arithmetic, and it is
//! weak: [`payouts`] lists every output within a window that is worth what was paid in less a fee, and every few that are it together. It never comes without the number of
//! candidates and without what the same question finds for deposits that have nothing to do with it ([`Decoys`]). One candidate
//! among hundreds is no lead; where the decoys find as much, neither are three.
//!
//! [`pay_in`] and [`feed`] look at transactions that collect: many small deposits of different payers; several just under one round amount, from
//! different transactions.

mod collect;
mod parts;
mod payout;

pub use collect::{FEED, PAY_IN, feed, pay_in, scan};
pub use parts::Sets;
pub use payout::{Candidate, Decoys, PAYOUT, Payouts, Terms, payouts};
