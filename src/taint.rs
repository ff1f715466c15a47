//! How taint crosses a transaction: seven rules, each in its file, all of them functions of lots and amounts.
//!
//! No rule is true; each is a convention, and the literature disagrees on all of them. Run several side by side and read
//! the spread. Where one must be named first: FIFO, because courts have ruled by it; poison is an upper bound and says only
//! where taint can not be.
//!
//! | rule | which outputs get the taint | keeps the order of satoshis | [`LINEAR`](Taint::LINEAR) | [`CONSERVING`](Taint::CONSERVING) |
//! |---|---|---|---|---|
//! | [`Poison`] | all of every output | no | yes | no |
//! | [`Haircut`] | every output in proportion to its value | no | no | yes |
//! | [`Fifo`] | first satoshi in, first out | yes | yes | yes |
//! | [`Lifo`] | last satoshi in, first out | yes | yes | yes |
//! | [`Seniority`] | tainted value first, in output order | no | no | yes |
//! | [`Juniority`] | clean value first, in output order | no | no | yes |
//! | [`Tiho`] | tainted value first, greatest output first | no | no | yes |
//!
//! # The law
//!
//! The outputs given to [`Taint::spread`] end with the fee, so they sum to the inputs. A conserving rule hands on every satoshi of
//! every source and puts no more into an output than its value. A rule is a pure function: the same lots give the same marks.

mod fifo;
pub(crate) mod flat;
mod haircut;
mod juniority;
mod lifo;
mod poison;
mod rule;
pub mod runs;
mod seniority;
mod shares;
mod tiho;

pub use fifo::Fifo;
pub use haircut::Haircut;
pub use juniority::Juniority;
pub use lifo::Lifo;
pub use poison::{Poison, Poisoned};
pub use rule::Rule;
pub use runs::Runs;
pub use seniority::Seniority;
pub use shares::Shares;
pub(crate) use shares::{draw, split};
pub use tiho::Tiho;

use std::fmt;

use bitcoin::Amount;

use crate::id::SourceIndex;

/// A value with its taint: an input of a transaction, or a deposit in an account.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Lot, Shares};
/// let clean = Lot { value: Amount::from_sat(5), mark: Shares::default() };
/// assert_eq!(clean.mark, Shares::default());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lot<M> {
    /// What it is worth.
    pub value: Amount,
    /// Its taint; the default is clean.
    pub mark: M,
}

/// A piece of the taint in one output: so much of one source, and where it lies.
///
/// # Examples
///
/// ```
/// use fundtrace::{SourceIndex, bitcoin::Amount, taint::Part};
/// let part = Part { source: SourceIndex::from_u32(0), offset: Amount::ZERO, amount: Amount::from_sat(9) };
/// assert_eq!(part.amount.to_sat(), 9);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Part {
    /// Whose taint it is.
    pub source: SourceIndex,
    /// How many satoshis of the output lie before it; 0 where the rule keeps no order.
    pub offset: Amount,
    /// How much of it there is.
    pub amount: Amount,
}

/// How evidence is walked back from an output to the inputs it came from, under a rule.
///
/// # Examples
///
/// ```
/// use fundtrace::taint::{Fifo, Origin, Taint};
/// assert_eq!(Fifo.origin(), Origin::RowFront);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// The inputs' satoshis in input order are dealt to the outputs from the front.
    RowFront,
    /// The same row is dealt from its end, each output keeping its satoshis in the order dealt.
    RowBack,
    /// The rule keeps amounts only: within one source, a piece is taken from the inputs in proportion to what each holds of it.
    Shares,
    /// Every tainted input carries everything.
    Whole,
}

/// How taint crosses one mixing of lots: a transaction, or a withdrawal from an account.
///
/// # Examples
///
/// Spreading by hand, under a rule of this crate:
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Fifo, Lot, Runs, Taint};
/// use fundtrace::SourceIndex;
///
/// // Five stolen satoshis, then three clean ones; outputs of 4 and 3, fee 1.
/// let sat = Amount::from_sat;
/// let stolen = Fifo.seed(sat(5), SourceIndex::from_u32(0));
/// let inputs = [Lot { value: sat(5), mark: stolen }, Lot { value: sat(3), mark: Runs::default() }];
/// let mut marks = Vec::new();
/// Fifo.spread(1, &inputs, &[sat(4), sat(3), sat(1)], &mut marks);
/// let tainted: Vec<u64> = marks.iter().map(|mark| Fifo.amount(mark).to_sat()).collect();
/// assert_eq!(tainted, [4, 1, 0]);
/// ```
///
/// A rule of one's own that keeps amounts stands on [`Shares`]. Run it with [`trace::forward`](crate::trace::forward) and put its trace
/// beside the others; `parts` and `origin` are what evidence is walked back by.
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Lot, Origin, Part, Shares, Taint};
/// use fundtrace::SourceIndex;
///
/// /// The last output takes what it can hold, then the one before it; the fee comes last all the same.
/// #[derive(Debug)]
/// struct LastFirst;
///
/// impl Taint for LastFirst {
///     const LINEAR: bool = false;
///     const CONSERVING: bool = true;
///     type Mark = Shares;
///
///     fn name(&self) -> &'static str {
///         "last_first"
///     }
///     fn seed(&self, value: Amount, source: SourceIndex) -> Shares {
///         Shares::of(source, value)
///     }
///     fn spread(&self, _sources: usize, inputs: &[Lot<Shares>], outputs: &[Amount], into: &mut Vec<Shares>) {
///         let from = Shares::sum(inputs);
///         let mut left = from.total();
///         let mut tainted = vec![Amount::ZERO; outputs.len()];
///         let fee = outputs.len() - 1;
///         for at in (0..fee).rev().chain([fee]) {
///             tainted[at] = left.min(outputs[at]);
///             left -= tainted[at];
///         }
///         from.divide(&tainted, into);
///     }
///     fn amount(&self, mark: &Shares) -> Amount {
///         mark.total()
///     }
///     fn parts(&self, mark: &Shares, each: &mut dyn FnMut(Part)) {
///         mark.parts().for_each(each);
///     }
///     fn origin(&self) -> Origin {
///         Origin::Shares
///     }
/// }
///
/// let sat = Amount::from_sat;
/// let inputs = [Lot { value: sat(5), mark: LastFirst.seed(sat(5), SourceIndex::from_u32(0)) }];
/// let mut marks = Vec::new();
/// LastFirst.spread(1, &inputs, &[sat(3), sat(1), sat(1)], &mut marks);
/// assert_eq!(marks.iter().map(|mark| mark.total().to_sat()).collect::<Vec<_>>(), [3, 1, 1]);
/// ```
pub trait Taint: Sync {
    /// True when the allocation ignores which coins are tainted, to the satoshi: runs add up, and backward is the exact
    /// adjoint.
    const LINEAR: bool;
    /// True when the rule hands on exactly what it got. False for poison alone, which is an upper bound.
    const CONSERVING: bool;
    /// The taint of one value. The default is clean, and a clean mark equals it.
    type Mark: Clone + Default + PartialEq + fmt::Debug + Send + Sync;

    /// Returns the rule's name, in snake case, as it stands in reports.
    fn name(&self) -> &'static str;

    /// Returns the rule's version: another version may give other numbers.
    fn version(&self) -> u32 {
        1
    }

    /// Returns what a reader must know to repeat the run, when it has `sources` different sources.
    fn parameters(&self, sources: usize) -> Vec<(&'static str, String)> {
        let _ = sources;
        Vec::new()
    }

    /// Marks the whole of a value as coming from a source.
    fn seed(&self, value: Amount, source: SourceIndex) -> Self::Mark;

    /// Spreads the inputs' taint over the outputs: one mark an output, in order.
    ///
    /// `sources` is how many sources the run has; `inputs` stand in order; `outputs` stand in order with the fee last and sum to the inputs.
    /// `into` is cleared first, so that a caller can use it again and again.
    fn spread(&self, sources: usize, inputs: &[Lot<Self::Mark>], outputs: &[Amount], into: &mut Vec<Self::Mark>);

    /// Puts the mark of a fee back into input order before it joins the coinbase's row.
    fn fee(&self, mark: Self::Mark) -> Self::Mark {
        mark
    }

    /// Returns how much of the value is tainted, over all sources.
    fn amount(&self, mark: &Self::Mark) -> Amount;

    /// Calls `each` for every piece of taint: by place for a rule that keeps the order of satoshis, otherwise once a source.
    fn parts(&self, mark: &Self::Mark, each: &mut dyn FnMut(Part));

    /// Calls `each` once for every source with its amount, in the order of sources.
    fn by_source(&self, mark: &Self::Mark, each: &mut dyn FnMut(SourceIndex, Amount)) {
        let mut sums = std::collections::BTreeMap::new();
        self.parts(mark, &mut |part| *sums.entry(part.source).or_insert(Amount::ZERO) += part.amount);
        sums.into_iter().for_each(|(source, amount)| each(source, amount));
    }

    /// Tells how evidence is walked back through a transaction.
    fn origin(&self) -> Origin;
}

/// A rule works behind a reference and a box alike.
macro_rules! behind {
    ($pointer:ty) => {
        impl<T: Taint> Taint for $pointer {
            const LINEAR: bool = T::LINEAR;
            const CONSERVING: bool = T::CONSERVING;
            type Mark = T::Mark;

            fn name(&self) -> &'static str {
                (**self).name()
            }
            fn version(&self) -> u32 {
                (**self).version()
            }
            fn parameters(&self, sources: usize) -> Vec<(&'static str, String)> {
                (**self).parameters(sources)
            }
            fn seed(&self, value: Amount, source: SourceIndex) -> Self::Mark {
                (**self).seed(value, source)
            }
            fn spread(
                &self,
                sources: usize,
                inputs: &[Lot<Self::Mark>],
                outputs: &[Amount],
                into: &mut Vec<Self::Mark>,
            ) {
                (**self).spread(sources, inputs, outputs, into);
            }
            fn fee(&self, mark: Self::Mark) -> Self::Mark {
                (**self).fee(mark)
            }
            fn amount(&self, mark: &Self::Mark) -> Amount {
                (**self).amount(mark)
            }
            fn parts(&self, mark: &Self::Mark, each: &mut dyn FnMut(Part)) {
                (**self).parts(mark, each);
            }
            fn by_source(&self, mark: &Self::Mark, each: &mut dyn FnMut(SourceIndex, Amount)) {
                (**self).by_source(mark, each);
            }
            fn origin(&self) -> Origin {
                (**self).origin()
            }
        }
    };
}

behind!(&T);
behind!(Box<T>);
