//! What can be contradictory about the transactions of a chain.

use bitcoin::{Amount, BlockHash, OutPoint, Txid};

use crate::id::BlockHeight;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ChainError {
    #[error(
        "transaction {txid} is given at height {first} and at height {second}; only the two BIP30 coinbase pairs may be"
    )]
    TwoHeights { txid: Txid, first: BlockHeight, second: BlockHeight },
    #[error("transaction {txid} is given with two different {what}: {first} and {second}")]
    Unlike { txid: Txid, what: &'static str, first: String, second: String },
    #[error("transaction {txid} {what}")]
    Malformed { txid: Txid, what: &'static str },
    #[error("input {vin} of transaction {txid} says of {outpoint}: {what}; one of the two records was altered")]
    Prevout { txid: Txid, vin: usize, outpoint: OutPoint, what: String },
    #[error("input {vin} of transaction {txid} spends {outpoint}, but that transaction has {outputs} outputs")]
    NoSuchOutput { txid: Txid, vin: usize, outpoint: OutPoint, outputs: usize },
    #[error("output {outpoint} is spent twice: by {first} and by {second}")]
    SpentTwice { outpoint: OutPoint, first: Txid, second: Txid },
    #[error("transaction {txid} spends {outpoint}, which is provably unspendable")]
    Unspendable { txid: Txid, outpoint: OutPoint },
    #[error("output {outpoint} is said to be spent by {claimed}, but transaction {actual} spends it")]
    SpentByAnother { outpoint: OutPoint, claimed: Txid, actual: Txid },
    #[error("output {outpoint} is said to be spent by {claimed}, but that transaction does not spend it")]
    NotSpentBy { outpoint: OutPoint, claimed: Txid },
    #[error(
        "transaction {txid} is given at height {height}, but as it spends {parent} it cannot stand below height {least}"
    )]
    HeightOrder { txid: Txid, height: BlockHeight, parent: Txid, least: BlockHeight },
    #[error("transaction {txid} stands in a circle of spends or before a transaction of its block that it spends")]
    Circle { txid: Txid },
    #[error("transactions {first} and {second} are both given position {position} in the block at height {height}")]
    SamePosition { first: Txid, second: Txid, position: u32, height: BlockHeight },
    #[error("transaction {txid}: {place} is worth {sat} sat, more than the 21 million BTC there can be")]
    OverSupply { txid: Txid, place: String, sat: u64 },
    #[error("transaction {txid} has inputs worth {inputs} and outputs worth {outputs}: it would create money")]
    Inflation { txid: Txid, inputs: Amount, outputs: Amount },
    #[error("the chain is declared complete from height {from} to {to}, but {what}")]
    Incomplete { from: BlockHeight, to: BlockHeight, what: String },
    #[error(
        "block {block} at height {height}: its transactions do not give its merkle root; some are missing, altered or without position"
    )]
    MerkleRoot { height: BlockHeight, block: BlockHash },
    #[error("block {block} at height {height} does not follow the block given at height {parent}")]
    Unlinked { height: BlockHeight, block: BlockHash, parent: BlockHeight },
    #[error(
        "transaction {txid} of the block at height {height} spends {outpoint}, which is not there: it was spent before, or a block is missing"
    )]
    NotThere { txid: Txid, height: BlockHeight, outpoint: OutPoint },
    #[error("block {block} at height {height} comes first; a store is written from the genesis block on, or resumed")]
    NotGenesis { height: BlockHeight, block: BlockHash },
    #[error("only a store of whole blocks with their headers from the genesis block on can be resumed; index anew")]
    NotWhole,
    #[error("there is no block to write a store of")]
    NoBlock,
    #[error("more {what} than this build can number")]
    TooMany { what: &'static str },
}
