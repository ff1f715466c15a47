//! What can be wrong with a truth file: rows that the chain or other rows gainsay.

use bitcoin::{Address, Amount, OutPoint, Txid};

use super::At;
use crate::id::BlockHeight;

#[derive(Debug, thiserror::Error)]
pub(crate) enum TruthError {
    #[error(
        "{at}: transaction {txid} is not in the chain; read the truth against the chain it was written for, or remove the row"
    )]
    NoTx { at: At, txid: Txid },
    #[error("{at}: output {outpoint} is not in the chain; name an output that is there, or remove the row")]
    NoOutput { at: At, outpoint: OutPoint },
    #[error(
        "{at}: the row tells of {given} outputs, but transaction {txid} has {has}; tell of each in order, or of none"
    )]
    Outputs { at: At, txid: Txid, given: usize, has: usize },
    #[error("{at}: {what} has a row already; keep one of the two")]
    Twice { at: At, what: String },
    #[error("{at}: {what} {number} stands here, but there is no {what} {missing}; number them from 0 without gaps")]
    Gap { at: At, what: &'static str, number: u32, missing: u32 },
    #[error(
        "{at}: the row names {what} {number}, but no row tells of it; add one, numbered from 0 without gaps, or leave the name out"
    )]
    Nothing { at: At, what: &'static str, number: u32 },
    #[error("{at}: {stolen} sat of output {outpoint} are said to be stolen, but it holds {} sat; give the stolen part of its value", .value.to_sat())]
    TooMuch { at: At, outpoint: OutPoint, stolen: u64, value: Amount },
    #[error(
        "{at}: output {outpoint} is said to be owned by entity {second}, but its address {address} by entity {first} in an earlier row; \
         an address has one owner: mend one of the rows, or leave the owner out where it is not known"
    )]
    TwoOwners { at: At, outpoint: OutPoint, address: Box<Address>, first: u32, second: u32 },
    #[error("{at}: output {outpoint} is said to change hands at height {height}, but it was {what}; mend the height")]
    Hands { at: At, outpoint: OutPoint, height: BlockHeight, what: String },
}
