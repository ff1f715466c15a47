//! What hashes prove: that bytes are the transaction, the header or the block they are given as.

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::merkle_tree::calculate_root;
use bitcoin::{BlockHash, Transaction, TxMerkleNode, Txid};

use crate::chain::NewTx;
use crate::error::{At, SourceError};

/// The record of a transaction that hashes to its txid.
pub(super) fn tx(at: At, claimed: Txid, tx: &Transaction) -> Result<NewTx, SourceError> {
    let record = NewTx::from_transaction(tx);
    match record.txid() {
        computed if computed == claimed => Ok(record),
        computed => Err(SourceError::TxidMismatch { at, claimed, computed }),
    }
}

/// The header, where it hashes to the block's hash.
pub(super) fn header(at: At, claimed: BlockHash, header: Header) -> Result<Header, SourceError> {
    match header.block_hash() {
        computed if computed == claimed => Ok(header),
        computed => Err(SourceError::HeaderMismatch { at, claimed, computed }),
    }
}

/// That a block of a proven header holds these transactions, all of them and in this order.
pub(super) fn block(
    at: At,
    block: BlockHash,
    header: &Header,
    txids: impl Iterator<Item = Txid>,
) -> Result<(), SourceError> {
    let nodes = txids.map(|txid| TxMerkleNode::from_raw_hash(txid.to_raw_hash()));
    // No transaction at all: the null hash, which no header has.
    match calculate_root(nodes).unwrap_or_else(TxMerkleNode::all_zeros) {
        computed if computed == header.merkle_root => Ok(()),
        computed => Err(SourceError::MerkleMismatch { at, block, computed }),
    }
}
