//! A world: its blocks, one after another, and its thefts.

use std::collections::VecDeque;
use std::path::Path;

use bitcoin::Network;

use super::WorldSpec;
use super::mine::{Mined, Miner};
use super::plan::Plan;
use super::town::Town;
use crate::chain::{Chain, Writer};
use crate::error::Error;
use crate::id;
use crate::par;
use crate::truth::{Row, Theft, Truth};

/// Transactions that are planned while the last so many are mined.
const AHEAD: u64 = 4_096;

/// A chain with known truth, block by block, from a seed.
///
/// The same specification and seed give the same blocks, byte for byte, on every machine and any number of threads: chance is a hash of
/// the seed, the agent and the event, and nothing is computed in floating point. While blocks are mined (keys, scripts, hashes), what
/// happens next is planned on another thread of the caller's rayon pool.
///
/// Everything that Bitcoin Core checks of such a chain holds, except signatures, which have the form of signatures only. The network is
/// regtest, whose proof of work anyone can do and whose subsidy halves every 150 blocks: nearly all coins are made at the start.
///
/// # Complexity
///
/// Linear in the transactions; memory grows with the unspent outputs and with the owners' addresses that are used again.
///
/// # Examples
///
/// ```
/// use fundtrace::simulate::{World, WorldSpec};
/// let mut world = World::new(WorldSpec::new(1_000), 7);
/// let records: usize = (&mut world).map(|block| block.records().count()).sum();
/// assert!(records > 1_000);
/// assert!(world.thefts().count() <= 1);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Debug)]
pub struct World {
    town: Town,
    miner: Miner,
    planned: Option<Plan>,
    ready: VecDeque<Mined>,
}

impl World {
    /// Founds a world.
    pub fn new(spec: WorldSpec, seed: u64) -> Self {
        let mut town = Town::new(spec, seed);
        let (miner, genesis) = Miner::new(seed);
        let planned = Some(town.plan(AHEAD));
        Self { town, miner, planned, ready: VecDeque::from([genesis]) }
    }

    /// Makes the whole world, and returns its chain and what is true of it. For a world of which no block was taken yet.
    ///
    /// The folder is for nameless temporary files, as for [`Writer`].
    ///
    /// # Errors
    ///
    /// When a temporary file cannot be written or read ([`Error::is_io`]), and when blocks are missing because they were taken before.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::simulate::{World, WorldSpec};
    /// let (chain, truth) = World::new(WorldSpec::new(1_000), 7).known(&std::env::temp_dir())?;
    /// assert!(chain.summary().txs > 1_000);
    /// assert!(truth.thefts().len() <= 1);
    ///
    /// let mut begun = World::new(WorldSpec::new(1_000), 7);
    /// begun.next();
    /// assert!(begun.known(&std::env::temp_dir()).is_err());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn known(mut self, scratch: &Path) -> Result<(Chain, Truth), Error> {
        let mut writer = Writer::new(Network::Regtest, scratch);
        let mut rows = Vec::new();
        for block in &mut self {
            writer.block(block.height(), block.block().header, block.records())?;
            rows.extend(block.rows());
        }
        rows.extend(self.thefts().cloned().map(Row::Theft));
        let mut store = Vec::new();
        writer.finish()?.write_to(&mut store)?;
        let chain = Chain::from_bytes(store)?;
        let truth = Truth::from_rows(chain.view(), rows)?;
        Ok((chain, truth))
    }

    /// Iterates the thefts that happened so far.
    pub fn thefts(&self) -> impl Iterator<Item = &Theft> + '_ {
        self.town.thefts.iter().filter_map(|thief| self.town.thieves[id::at(*thief)].theft())
    }

    /// Returns how many outputs can be spent.
    pub fn unspent(&self) -> usize {
        self.town.coins.live()
    }
}

impl Iterator for World {
    type Item = Mined;

    fn next(&mut self) -> Option<Mined> {
        if self.ready.is_empty()
            && let Some(plan) = self.planned.take()
        {
            let (town, miner) = (&mut self.town, &mut self.miner);
            let next = || (!town.is_over()).then(|| town.plan(AHEAD));
            let (mined, next) = par::join(|| miner.mine(plan), next);
            self.ready.extend(mined);
            self.planned = next;
        }
        self.ready.pop_front()
    }
}
