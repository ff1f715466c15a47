//! The active chain: of the chains whose blocks are all there, the one with the most work.

use std::collections::HashMap;

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Network, Work};

use crate::error::{BlkError, Error};
use crate::id::{self, BlockHeight};

/// A block that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Located {
    /// Which of the files it is in.
    pub(super) file: usize,
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) header: Header,
}

/// What is to be read.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) active: Vec<Located>,
    pub(super) from: u32,
    pub(super) stale: u32,
    pub(super) ignored: Option<String>,
}

/// A block in the tree of headers.
struct Node {
    hash: BlockHash,
    parent: Option<usize>,
    /// Height and work of the chain down to the genesis block, where it is whole.
    chain: Option<(u32, Work)>,
    /// Where it is found; a block that is only stored is nowhere.
    located: Option<Located>,
}

/// Finds the active chain among blocks in any order; `stored` is a chain from the genesis block on that is known already.
pub(super) fn find(
    found: Vec<Located>,
    stored: &[Header],
    network: Network,
    to_gap: bool,
    describe: impl Fn(&Located) -> String,
) -> Result<Active, Error> {
    let mut nodes: Vec<Node> = Vec::with_capacity(found.len());
    let mut by_hash: HashMap<BlockHash, usize> = HashMap::with_capacity(found.len());
    for header in stored {
        let hash = header.block_hash();
        by_hash.insert(hash, nodes.len());
        nodes.push(Node { hash, parent: None, chain: None, located: None });
    }
    for located in found {
        let hash = located.header.block_hash();
        let at = *by_hash.entry(hash).or_insert(nodes.len());
        if at == nodes.len() {
            nodes.push(Node { hash, parent: None, chain: None, located: Some(located) });
        }
        // Of a block that is there twice the first is taken.
        nodes[at].located.get_or_insert(located);
    }
    let header = |nodes: &[Node], at: usize| match &nodes[at].located {
        Some(located) => located.header,
        None => stored[at],
    };
    for at in 0..nodes.len() {
        nodes[at].parent = by_hash.get(&header(&nodes, at).prev_blockhash).copied();
    }
    let genesis = bitcoin::blockdata::constants::genesis_block(network).block_hash();
    let mut path = Vec::new();
    for at in 0..nodes.len() {
        // Up to a block whose chain is known, then back down.
        let mut next = Some(at);
        while let Some(block) = next.filter(|block| nodes[*block].chain.is_none()) {
            path.push(block);
            next = nodes[block].parent;
            // A block cannot be its own ancestor: the hashes would have to be.
        }
        let mut chain = next.and_then(|block| nodes[block].chain);
        for block in path.drain(..).rev() {
            let header = header(&nodes, block);
            chain = match (chain, header.prev_blockhash == BlockHash::all_zeros()) {
                (None, true) if nodes[block].hash != genesis => {
                    return Err(BlkError::Genesis { found: nodes[block].hash, genesis, network }.into());
                }
                (None, true) => Some((0, header.work())),
                (Some((height, work)), _) => Some((height + 1, work + header.work())),
                (None, false) => None,
            };
            nodes[block].chain = chain;
        }
    }
    let ignored = check_whole(&nodes, to_gap, |at| header(&nodes, at), describe)?;
    // Of two with the same work, as Core, the one that came first.
    let tip = (0..nodes.len()).filter(|at| nodes[*at].chain.is_some()).max_by(|a, b| {
        let work = |at: &usize| nodes[*at].chain.map(|(_, work)| work);
        work(a).cmp(&work(b)).then(b.cmp(a))
    });
    let Some(tip) = tip else { return Err(BlkError::NoBlocks.into()) };
    let mut branch: Vec<usize> = std::iter::successors(Some(tip), |at| nodes[*at].parent).collect();
    branch.reverse();
    let from = branch.iter().zip(0..stored.len()).take_while(|(at, stored)| **at == *stored).count();
    let located = nodes.iter().filter(|node| node.located.is_some() && node.chain.is_some()).count();
    let on_branch = branch.iter().filter(|at| nodes[**at].located.is_some()).count();
    let active = branch[from..].iter().filter_map(|at| nodes[*at].located).collect();
    Ok(Active { active, from: id::small(from), stale: id::small(located - on_branch), ignored })
}

/// Refuses blocks that hang in the air, or says that they are passed over.
fn check_whole(
    nodes: &[Node],
    to_gap: bool,
    header: impl Fn(usize) -> Header,
    describe: impl Fn(&Located) -> String,
) -> Result<Option<String>, Error> {
    let loose: Vec<usize> = (0..nodes.len()).filter(|at| nodes[*at].chain.is_none()).collect();
    let Some(first) = loose.iter().copied().find(|at| nodes[*at].parent.is_none()) else { return Ok(None) };
    let top = nodes.iter().filter_map(|node| node.chain).map(|(height, _)| height).max();
    let place = nodes[first].located.as_ref().map(describe).unwrap_or_default();
    let gap = BlkError::Gap {
        blocks: loose.len(),
        block: nodes[first].hash,
        place,
        parent: header(first).prev_blockhash,
        top: top.map(BlockHeight::from_u32),
    };
    if to_gap && top.is_some() { Ok(Some(gap.to_string())) } else { Err(gap.into()) }
}
