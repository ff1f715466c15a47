//! What a chain holds, in the numbers that people compare.

use bitcoin::BlockHash;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::columns::Columns;
use super::counts::{BY_TYPE, Counts, FEES_SAT, UNSPENT, UNSPENT_SAT};
use super::{Chain, ScriptType};
use crate::id::{self, BlockHeight};

/// The size of a chain and its money, read from the store's totals in constant time.
///
/// # Examples
///
/// ```
/// let summary = fundtrace::ChainBuilder::new().finish()?.summary();
/// assert_eq!((summary.blocks, summary.tip_height), (0, None));
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Blocks; of a partial chain, the heights at which a transaction stands.
    pub blocks: u64,
    /// Supplied transactions, coinbases included.
    pub txs: u64,
    /// Inputs, without those of coinbases, which spend nothing.
    pub inputs: u64,
    /// Outputs of supplied transactions, and those of stubs that are spent.
    pub outputs: u64,
    /// Different addresses.
    pub addresses: u64,
    /// Outputs that nothing in the chain spends, as Bitcoin Core counts them: without the genesis block's, provably unspendable and
    /// overwritten ones.
    pub unspent_outputs: u64,
    /// What they are worth, in sat.
    pub unspent_sat: u64,
    /// The fees of all transactions whose inputs are known, in sat.
    pub fees_sat: u64,
    /// The last block's height.
    pub tip_height: Option<BlockHeight>,
    /// The last block's hash, where the chain has headers.
    pub tip_hash: Option<BlockHash>,
    /// Blocks that were in the source and not on the active chain; `None` where the source has no notion of them.
    pub stale_blocks: Option<u32>,
    /// How many outputs have each type of script.
    pub outputs_by_type: OutputsByType,
}

/// How many outputs have each type of script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputsByType {
    counts: [u64; ScriptType::ALL.len()],
    unknown: u64,
}

impl OutputsByType {
    /// Returns how many outputs have a script of this type.
    pub fn get(&self, script_type: ScriptType) -> u64 {
        self.counts[usize::from(script_type.code())]
    }

    /// Iterates the types that some output has.
    pub fn iter(&self) -> impl Iterator<Item = (ScriptType, u64)> + '_ {
        ScriptType::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// Returns how many outputs have a script that nobody told: only stubs' outputs can.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }
}

impl Serialize for OutputsByType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (script_type, count) in self.iter() {
            map.serialize_entry(script_type.as_str(), &count)?;
        }
        if self.unknown > 0 {
            map.serialize_entry("unknown", &self.unknown)?;
        }
        map.end()
    }
}

impl Summary {
    fn of(columns: Columns<'_>) -> Self {
        let (totals, counts, head) = (columns.totals(), Counts::of(columns), &columns.layout().head);
        let mut by_type = [0; ScriptType::ALL.len()];
        for (at, count) in by_type.iter_mut().enumerate() {
            *count = totals.get(BY_TYPE + at);
        }
        let unknown = totals.get(BY_TYPE + by_type.len());
        let last = columns.blocks().checked_sub(1);
        Self {
            blocks: id::number(columns.blocks()),
            txs: counts.transactions,
            inputs: counts.prevouts(),
            outputs: head.outputs,
            addresses: id::number(columns.addresses()),
            unspent_outputs: totals.get(UNSPENT),
            unspent_sat: totals.get(UNSPENT_SAT),
            fees_sat: totals.get(FEES_SAT),
            tip_height: last.map(|block| BlockHeight::from_u32(columns.height_of_block(block))),
            tip_hash: columns.tip().map(|(_, hash)| hash),
            stale_blocks: head.stale,
            outputs_by_type: OutputsByType { counts: by_type, unknown },
        }
    }
}

impl<D: AsRef<[u8]>> Chain<D> {
    /// Returns the size of the chain and its money, in constant time.
    pub fn summary(&self) -> Summary {
        Summary::of(self.columns())
    }
}
