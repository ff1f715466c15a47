//! Traces from where nothing was stolen.
//!
//! A search that always finds something proves nothing. The same trace is run from outputs like the stolen ones but innocent, and
//! what it "finds" is what the method finds by chance: the target-decoy idea of Elias and Gygi, Target-decoy search strategy for increased
//! confidence in large-scale protein identifications by mass spectrometry (Nature Methods 4, 2007).

use std::collections::BTreeSet;

use super::Ratio;
use super::bootstrap::below;
use crate::chain::{Output, View};
use crate::id::{self, BlockHeight, OutputIndex};
use crate::trace::{Reason, Trace};
use crate::truth::{EntityKind, Kind, Truth};

/// How to choose decoys.
///
/// # Examples
///
/// ```
/// use fundtrace::{eval::Decoys, truth::Truth};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let truth = Truth::read(chain.view(), "".as_bytes())?;
/// assert!(Decoys::default().seed(7).choose(chain.view(), &truth, &[]).is_empty());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Decoys {
    /// How many blocks below and above a seed's are searched.
    pub blocks: u32,
    /// Among how many that are nearest in value one is drawn.
    pub nearest: usize,
    /// Decides the draw.
    pub seed: u64,
}

impl Default for Decoys {
    fn default() -> Self {
        Self { blocks: 144, nearest: 8, seed: 0 }
    }
}

impl Decoys {
    /// Sets how many blocks below and above a seed's are searched; 144 unless told.
    #[must_use]
    pub fn blocks(mut self, blocks: u32) -> Self {
        self.blocks = blocks;
        self
    }

    /// Sets among how many that are nearest in value one is drawn; 8 unless told, and 1 takes the nearest.
    #[must_use]
    pub fn nearest(mut self, nearest: usize) -> Self {
        self.nearest = nearest;
        self
    }

    /// Sets the seed of the draw; 0 unless told. Other seeds give other decoys.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Chooses a decoy for each seed of a theft: an output of about the same value and time that is known to be innocent.
    ///
    /// A decoy is labelled, holds no loot of any theft at any time, has a known owner who is no thief, is no output of a theft's transaction,
    /// can be spent (whether it is or not) and is worth something. No output is chosen twice. `None` for a seed without height or
    /// value, or with no such output near.
    ///
    /// # Panics
    ///
    /// When a seed is not of the view's chain.
    ///
    /// # Complexity
    ///
    /// For each seed the outputs of the blocks around it.
    pub fn choose(&self, view: View<'_>, truth: &Truth, seeds: &[OutputIndex]) -> Vec<Option<OutputIndex>> {
        let mut taken: BTreeSet<OutputIndex> = seeds.iter().copied().collect();
        let mut decoys = Vec::new();
        for (counter, seed) in (0..).zip(seeds) {
            let near = self.near(view, truth, view.output(*seed), &taken);
            let drawn = (!near.is_empty()).then(|| near[id::at(below(self.seed, counter, id::number(near.len())))].1);
            taken.extend(drawn);
            decoys.push(drawn);
        }
        decoys
    }

    /// The innocent outputs nearest in value, by difference and then in chain order.
    fn near(
        &self,
        view: View<'_>,
        truth: &Truth,
        seed: Output<'_>,
        taken: &BTreeSet<OutputIndex>,
    ) -> Vec<(u64, OutputIndex)> {
        let mut near: Vec<(u64, OutputIndex)> = Vec::new();
        let (Some(height), Some(value)) = (seed.tx().height().map(BlockHeight::to_u32), seed.value()) else {
            return near;
        };
        let heights = height.saturating_sub(self.blocks)..=height.saturating_add(self.blocks);
        let top = view.tip().map_or(0, BlockHeight::to_u32);
        for height in heights.take_while(|height| *height <= top) {
            for output in view.block(BlockHeight::from_u32(height)).flat_map(|tx| tx.outputs()) {
                let Some(sat) = output.value().map(|amount| amount.to_sat()).filter(|sat| *sat > 0) else {
                    continue;
                };
                let entry = (sat.abs_diff(value.to_sat()), output.index());
                let close = near.len() < self.nearest || near.last().is_some_and(|last| entry < *last);
                if close && self.nearest > 0 && !taken.contains(&output.index()) && is_innocent(truth, output) {
                    near.insert(near.partition_point(|other| *other < entry), entry);
                    near.truncate(self.nearest);
                }
            }
        }
        near
    }
}

fn is_innocent(truth: &Truth, output: Output<'_>) -> bool {
    let index = output.index();
    let honest = |owner| truth.entity(owner).kind != EntityKind::Thief;
    truth.is_labelled(index)
        && !output.is_unspendable()
        && truth.loot_ever(index).is_none()
        && truth.kind(output.tx().index()) != Some(Kind::Theft)
        && truth.owner(index).is_some_and(honest)
        && truth.holder(index).is_some_and(honest)
}

/// Where the value of a trace lands, whatever its seeds are. Amounts are in satoshis.
///
/// # Examples
///
/// See [`landing`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Landing {
    /// What the trace's ends hold.
    pub ends_sat: u128,
    /// What of it lies at tagged services.
    pub tagged_sat: u128,
    /// What the outputs hold that the trace touched and of which rows tell, seeds left out.
    pub touched_sat: u128,
    /// What of it lies on the true route of any theft: at each output the smaller of taint and loot.
    pub loot_sat: u128,
}

impl Landing {
    /// Returns the share of the ends that lies at tagged services.
    pub fn tagged(&self) -> Ratio {
        Ratio::new(self.tagged_sat, self.ends_sat)
    }

    /// Returns the share of what was touched that lies on the true route of a theft.
    pub fn loot(&self) -> Ratio {
        Ratio::new(self.loot_sat, self.touched_sat)
    }
}

/// Measures where the value of a trace lands: run it on the trace from the true seeds and on the one from decoys, and compare.
///
/// # Panics
///
/// When trace and truth are not of one chain.
///
/// # Complexity
///
/// Of the outputs touched, a look-up each.
///
/// # Examples
///
/// ```
/// use fundtrace::{eval, spec::Rule, trace::{Options, stop}, truth::Truth};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let truth = Truth::read(chain.view(), "".as_bytes())?;
/// let trace = Rule::Fifo.forward(chain.view(), &[], &stop::never(), &Options::default());
/// assert_eq!(eval::landing(&truth, &trace).tagged().to_string(), "n/a");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn landing(truth: &Truth, trace: &Trace<'_>) -> Landing {
    let mut landing = Landing::default();
    for end in trace.ends() {
        let sat = u128::from(end.amount.to_sat());
        landing.ends_sat += sat;
        if matches!(end.reason, Reason::Tagged(_)) {
            landing.tagged_sat += sat;
        }
    }
    let seeds: BTreeSet<OutputIndex> = trace.seeds().iter().map(|seed| seed.output).collect();
    for touch in trace.touched() {
        if truth.is_labelled(touch.output) && !seeds.contains(&touch.output) {
            let loot = truth.loot_ever(touch.output).unwrap_or_default();
            landing.touched_sat += u128::from(touch.amount.to_sat());
            landing.loot_sat += u128::from(touch.amount.min(loot).to_sat());
        }
    }
    landing
}
