//! Rules over every payment of a view, on the caller's rayon pool, answers in chain order.
//!
//! Returns the payments where a rule leaves one output, which is what a builder of clusters can act on: the address of an input and the address of the
//! change are one owner's, says this rule of this transaction. The idea of [`picks_of_all`]: a payment is looked up once and shown to all rules. Each list is in chain
//! order, whatever the number of threads.

use super::{Change, Hindsight, Payment, Votes};
use crate::chain::{Tx, View};
use crate::id::{self, AddressIndex, OutputIndex, TxIndex};
use crate::par;

/// How many transactions one piece of work has: lists are joined once a piece.
const PIECE: usize = 4096;

/// An output that is named as change, with how sure the vote was.
///
/// # Examples
///
/// See [`votes`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Guess {
    /// The transaction.
    pub tx: TxIndex,
    /// Its change.
    pub output: OutputIndex,
    /// See [`Ballot::confidence_ppm`](super::Ballot::confidence_ppm).
    pub confidence_ppm: u32,
}

impl Guess {
    /// Says that an output is its transaction's change, for votes that are not of this module.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{OutputIndex, TxIndex, change::Guess};
    /// let guess = Guess::new(TxIndex::from_u32(1), OutputIndex::from_u64(3), 900_000);
    /// assert_eq!(guess.output.to_u64(), 3);
    /// ```
    pub fn new(tx: TxIndex, output: OutputIndex, confidence_ppm: u32) -> Self {
        Self { tx, output, confidence_ppm }
    }

    /// Returns the two addresses that are one owner's if the guess is right: of the first input that has one, and of the change.
    ///
    /// # Panics
    ///
    /// When the guess is not from this chain.
    pub fn addresses(self, view: View<'_>) -> Option<(AddressIndex, AddressIndex)> {
        let input = view.tx(self.tx).inputs().find_map(|input| input.address_index())?;
        Some((input, view.output(self.output).address_index()?))
    }
}

/// Returns the payments where a rule leaves exactly one output, with that output.
///
/// Morally `view.txs().filter_map(Payment::of)` and the rule asked of each, which is its twin in the tests and in `benches/change.rs`.
///
/// # Examples
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::{self, AddressReuse};
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice")])]);
/// let picks = change::picks(chain.view(), &AddressReuse);
/// assert_eq!(picks.len(), 1);
/// assert_eq!(chain.view().output(picks[0].1).vout(), 1);
/// ```
pub fn picks<R: Change + ?Sized>(view: View<'_>, rule: &R) -> Vec<(TxIndex, OutputIndex)> {
    let mut all = picks_of_all(view, &[&rule]);
    all.pop().expect("one rule has one list")
}

/// Returns what picks say of addresses: the first input's that has one and the change's are one owner's, says this transaction. What has no such two addresses is
/// left out. `Evidence::of_pairs` of `cluster` takes it.
///
/// # Panics
///
/// When a pick is not from this chain.
///
/// # Examples
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change;
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(500, "alice"), (399, "new")])]);
/// let view = chain.view();
/// let change = view.txs().next().unwrap().outputs().nth(1).unwrap();
/// let links = change::links(view, [(change.tx().index(), change.index())]);
/// assert_eq!(links[0].1, view.txs().next().unwrap().inputs().next().unwrap().address_index().unwrap());
/// assert_eq!(links[0].2, change.address_index().unwrap());
/// ```
pub fn links(
    view: View<'_>,
    picks: impl IntoIterator<Item = (TxIndex, OutputIndex)>,
) -> Vec<(TxIndex, AddressIndex, AddressIndex)> {
    let link = |(tx, output): (TxIndex, OutputIndex)| {
        let (input, change) = Guess { tx, output, confidence_ppm: 0 }.addresses(view)?;
        Some((tx, input, change))
    };
    picks.into_iter().filter_map(link).collect()
}

/// Returns what [`picks`] does, for each of several rules.
///
/// # Examples
///
/// See [`picks`].
pub fn picks_of_all(view: View<'_>, rules: &[&dyn Change]) -> Vec<Vec<(TxIndex, OutputIndex)>> {
    let mut pieces = par::map(&pieces(view), |piece| {
        let mut found = vec![Vec::new(); rules.len()];
        let mut payment = None;
        for tx in seen(view, *piece) {
            let payment = payment.get_or_insert_with(|| Payment::unread(tx));
            if !payment.read(tx) {
                continue;
            }
            for (rule, found) in rules.iter().zip(&mut found) {
                if let Some(output) = rule.candidates(payment).and_then(|set| set.only()) {
                    found.push((payment.index(), output));
                }
            }
        }
        found
    });
    let lists = (0..rules.len()).map(|at| pieces.iter_mut().map(|piece| std::mem::take(&mut piece[at])).collect());
    par::map_owned(lists.collect(), |lists: Vec<Vec<(TxIndex, OutputIndex)>>| lists.concat())
}

/// Returns what [`picks`] does, under a rule that looks ahead, as far as the view sees.
///
/// # Examples
///
/// See [`picks`].
pub fn picks_in_hindsight<R: Hindsight + ?Sized>(view: View<'_>, rule: &R) -> Vec<(TxIndex, OutputIndex)> {
    let pick = |tx: Tx<'_>| Some((tx.index(), rule.candidates(tx)?.only()?));
    par::map(&pieces(view), |piece| seen(view, *piece).filter_map(pick).collect::<Vec<_>>()).concat()
}

/// Returns the payments where a vote names an output, with how sure it was.
///
/// # Examples
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::{self, AddressReuse, Votes};
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice")])]);
/// let guesses = change::votes(chain.view(), &Votes::new(1).rule(AddressReuse, 1));
/// assert_eq!(guesses[0].confidence_ppm, 666_666);
/// let (input, change) = guesses[0].addresses(chain.view()).unwrap();
/// assert_eq!(input, change);
/// ```
pub fn votes<R: Change>(view: View<'_>, votes: &Votes<R>) -> Vec<Guess> {
    let guess = |payment: Payment<'_>| {
        let ballot = votes.count(&payment)?;
        Some(Guess { tx: payment.index(), output: ballot.output, confidence_ppm: ballot.confidence_ppm })
    };
    let all = par::map(&pieces(view), |piece| {
        seen(view, *piece).filter_map(Payment::of).filter_map(guess).collect::<Vec<_>>()
    });
    all.concat()
}

/// Returns what [`votes`] does, under rules that look ahead, as far as the view sees.
///
/// # Examples
///
/// See [`votes`].
pub fn votes_in_hindsight<R: Hindsight + Sync>(view: View<'_>, votes: &Votes<R>) -> Vec<Guess> {
    let guess = |tx: Tx<'_>| {
        let ballot = votes.count_in_hindsight(tx)?;
        Some(Guess { tx: tx.index(), output: ballot.output, confidence_ppm: ballot.confidence_ppm })
    };
    par::map(&pieces(view), |piece| seen(view, *piece).filter_map(guess).collect::<Vec<_>>()).concat()
}

/// The supplied transactions up to the view's end in pieces of equal length, by first and end.
fn pieces(view: View<'_>) -> Vec<(TxIndex, TxIndex)> {
    let (first, end) = (id::at(view.columns().stubs()), view.end().at());
    (first..end).step_by(PIECE).map(|at| (TxIndex::of(at), TxIndex::of((at + PIECE).min(end)))).collect()
}

/// The visible transactions of a piece.
fn seen<'c>(view: View<'c>, (first, end): (TxIndex, TxIndex)) -> impl Iterator<Item = Tx<'c>> {
    (first.at()..end.at()).map(TxIndex::of).filter(move |index| view.sees(*index)).map(move |index| view.tx(index))
}
