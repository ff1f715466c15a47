//! The rules once more, in flat memory: what the fast engines run.
//!
//! A [`Flat`] does to whole numbers what its [`Taint`](super::Taint) does to marks. A mark is a number or a place in the rule's own store, so it is
//! copied freely and nothing is allocated for an output. Which form a rule takes depends on the run: with one source amounts are single numbers
//! ([`Amounts`]), with several lists ([`Labelled`]).

mod amounts;
mod labelled;
mod lanes;
mod place;
mod rows;
mod sets;
mod store;

pub(crate) use amounts::Amounts;
pub(crate) use labelled::Labelled;
pub(crate) use lanes::Lanes;
pub(crate) use place::{Placing, Scratch};
pub(crate) use rows::Rows;
pub(crate) use sets::Sets;

use crate::id::SourceIndex;

/// An input in flat form: its value in sat, and its mark.
#[derive(Clone, Copy)]
pub(crate) struct Input<M> {
    pub(crate) value: u64,
    pub(crate) mark: M,
}

/// So much of a source, or of what is clean.
pub(crate) type Piece = (Option<SourceIndex>, u64);

/// A rule in flat memory. Marks that were handed out are given back exactly once: to `spread`, or to `free`.
pub(crate) trait Flat {
    /// The taint of one output; the default is clean.
    type Mark: Copy + Default + PartialEq;

    fn seed(&mut self, value: u64, source: SourceIndex) -> Self::Mark;

    /// Spreads the inputs' marks over `outputs`, of which the fee is the last; takes the inputs' marks back. `into` is cleared first.
    fn spread(&mut self, inputs: &[Input<Self::Mark>], outputs: &[u64], into: &mut Vec<Self::Mark>);

    /// Puts the mark of a fee back into input order.
    fn fee(&mut self, mark: Self::Mark) -> Self::Mark {
        mark
    }

    /// How much of an output of this value is tainted.
    fn amount(&self, mark: Self::Mark, value: u64) -> u64;

    /// Calls `each` once for every source, in their order.
    fn by_source(&self, mark: Self::Mark, value: u64, each: &mut impl FnMut(SourceIndex, u64));

    /// The mark as a bit a source, of a rule that keeps no more.
    fn lanes(&self, mark: Self::Mark) -> Option<u64> {
        let _ = mark;
        None
    }

    /// Writes the mark down as pieces: of which source, if any, and how much.
    fn save(&self, mark: Self::Mark) -> Vec<Piece>;

    /// Makes a mark of pieces that `save` has written.
    fn load(&mut self, pieces: &[Piece]) -> Self::Mark;

    /// Takes a mark back.
    fn free(&mut self, mark: Self::Mark);
}

/// A rule that needs of a transaction no more than what its inputs bring together, and of an output no more than a word.
pub(crate) trait Word: Flat<Mark = u64> + Sync {
    /// Whether a mark says of which sources there is any, and not how much.
    const ANY: bool;

    /// What two inputs bring together.
    fn join(first: u64, second: u64) -> u64;

    /// Spreads what inputs worth `all` bring over `outputs`, of which the fee is the last. `into` is cleared first.
    fn pour(&self, brought: u64, all: u64, outputs: &[u64], into: &mut Vec<u64>, scratch: &mut Scratch);
}
