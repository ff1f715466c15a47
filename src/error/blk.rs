//! What can be wrong with block files.

use bitcoin::{BlockHash, Network};

use crate::id::BlockHeight;

#[derive(Debug, thiserror::Error)]
pub(crate) enum BlkError {
    #[error("the folder holds no blk*.dat; name the node's blocks folder")]
    NoFiles,
    #[error("the block files hold no block yet")]
    NoBlocks,
    #[error("xor.dat has {bytes} bytes where a key has 8; copy it again from the node's blocks folder")]
    Key { bytes: usize },
    #[error(
        "the file begins with no network's magic: it is no block file, or Bitcoin Core (28 and later) wrote it XORed and its key is \
         missing; put the node's blocks/xor.dat beside it"
    )]
    NoKey,
    #[error(
        "the file begins with no network's magic even with the key of xor.dat; key and file are of different nodes"
    )]
    WrongKey,
    #[error(
        "the file is not XORed, but an xor.dat lies beside it; key and file are of different nodes, take them apart"
    )]
    ForeignKey,
    #[error("the blocks are of {found}, not of {network}; say --network {found}")]
    Network { found: Network, network: Network },
    #[error("the genesis block is {found}, but that of {network} is {genesis}; name the right network")]
    Genesis { found: BlockHash, genesis: BlockHash, network: Network },
    #[error("offset {offset}: a block of {length} bytes cannot be; the file is damaged, copy it again")]
    Length { offset: u64, length: u32 },
    #[error(
        "offset {offset}: the header of block {block} does not meet its own target; the file is damaged, copy it again"
    )]
    Work { offset: u64, block: BlockHash },
    #[error("not a block: {what}; the file is damaged, copy it again")]
    NotABlock { what: String },
    #[error("the transactions of block {block} do not give its merkle root; the file is damaged, copy it again")]
    MerkleRoot { block: BlockHash },
    #[error(
        "{blocks} blocks hang in the air, the first of them {block} in {place}: its parent {parent} is not there, and the chain ends at {}; \
         a block file is missing, or the node is still downloading: add the missing files, or stop below the gap (--to-gap)",
        .top.map_or("nothing".into(), |top| format!("height {top}"))
    )]
    Gap { blocks: usize, block: BlockHash, place: String, parent: BlockHash, top: Option<BlockHeight> },
}
