//! Where to look first: ends gathered by address and ranked.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use bitcoin::{Address, Amount, OutPoint};

use super::{Exit, Grade, Rank, Reason, Trace};
use crate::chain::OutputSet;
use crate::id::{AddressIndex, OutputIndex};

/// A place where taint ends: an address, or an output that has none.
///
/// # Examples
///
/// See [`Trace::leads`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Lead {
    /// The address, where there is one.
    pub address: Option<Address>,
    /// The output there that holds the most taint; of equals the first in the chain.
    pub outpoint: OutPoint,
    /// The taint there, over all its outputs where the trace ends.
    pub amount: Amount,
    /// Those outputs.
    pub outputs: OutputSet,
    /// Hops from the nearest seed, the least of them.
    pub hops: u32,
    /// Why the trace ends at [`outpoint`](Self::outpoint).
    pub reason: Reason,
    /// What it is ranked by, and why it stands where it does.
    pub rank: Rank,
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sat at ", self.amount.to_sat())?;
        match &self.address {
            Some(address) => write!(f, "{address}")?,
            None => f.write_str("no address")?,
        }
        let hops = if self.hops == 1 { "hop" } else { "hops" };
        write!(f, ", {} {hops}, {}, {}", self.hops, self.reason, self.outpoint)?;
        if self.outputs.len() > 1 {
            write!(f, " and {} more", self.outputs.len() - 1)?;
        }
        write!(f, " ({})", self.rank)
    }
}

/// The places where taint ends, to be ranked.
///
/// # Examples
///
/// See [`Trace::leads`].
#[derive(Clone, Debug)]
pub struct Leads {
    leads: Vec<Lead>,
}

impl IntoIterator for Leads {
    type Item = Lead;
    type IntoIter = std::vec::IntoIter<Lead>;

    /// In the order of addresses' first appearance, outputs without an address first.
    fn into_iter(self) -> Self::IntoIter {
        self.leads.into_iter()
    }
}

impl Leads {
    /// Ranks by exit, evidence and value: see [`Rank`].
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
    /// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
    /// use fundtrace::{tag::{Tag, Tags}, taint::Fifo, trace::{self, Options, stop}};
    /// let txid = |n| Txid::from_byte_array([n; 32]);
    /// let out = |sat, key: u8| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
    /// let mut builder = ChainBuilder::new();
    /// builder.insert(NewTx::claimed(txid(2), vec![NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(500, 1))], vec![out(400, 8), out(100, 9)]))?;
    /// let chain = builder.finish()?;
    /// let mut tags = Tags::default();
    /// tags.insert(out(0, 9).script_pubkey, Tag::new("Example Exchange", "exchange", "its own list"));
    /// let seeds = [chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap().seed("theft")];
    /// let trace = trace::forward(chain.view(), &seeds, &Fifo, &stop::tagged(&tags), &Options::default());
    /// // A service comes before four times as much of which nobody knows where it goes.
    /// let first = trace.leads().ranked().next().unwrap();
    /// assert_eq!(first.amount, Amount::from_sat(100));
    /// assert_eq!(first.rank.to_string(), "exit: a service that can act; value: 100 sat, 200 thousandths of what was seeded; evidence of who is there: unsaid");
    /// assert_eq!(trace.leads().by_amount().next().unwrap().amount, Amount::from_sat(400));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn ranked(mut self) -> std::vec::IntoIter<Lead> {
        self.leads.sort_by_key(|lead| lead.rank);
        self.leads.into_iter()
    }

    /// Ranks by amount, the greatest first; of equals the fewest hops, then the outpoint's txid and vout.
    pub fn by_amount(mut self) -> std::vec::IntoIter<Lead> {
        self.leads.sort_by_key(|lead| (Reverse(lead.amount), lead.hops, lead.outpoint));
        self.leads.into_iter()
    }

    /// Ranks by hops, the nearest first; of equals the greatest amount, then the outpoint's txid and vout.
    pub fn by_hops(mut self) -> std::vec::IntoIter<Lead> {
        self.leads.sort_by_key(|lead| (lead.hops, Reverse(lead.amount), lead.outpoint));
        self.leads.into_iter()
    }
}

impl Trace<'_> {
    /// Gathers the ends by address. Under poison an amount is the value of the outputs, not of what is stolen in them.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, taint::Fifo, trace::{self, Options, stop}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let trace = trace::forward(chain.view(), &[], &Fifo, &stop::never(), &Options::default());
    /// assert!(trace.leads().by_amount().next().is_none());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn leads(&self) -> Leads {
        let mut places: BTreeMap<(Option<AddressIndex>, Option<OutputIndex>), Vec<usize>> = BTreeMap::new();
        for (at, end) in self.ends.iter().enumerate() {
            let address = self.view.output(end.output).address_index();
            let key = (address, address.is_none().then_some(end.output));
            places.entry(key).or_default().push(at);
        }
        let seeded = self.seeds.iter().map(|seed| seed.value).sum();
        let lead = |((address, _), ends): (_, Vec<usize>)| {
            let ends = ends.iter().map(|at| &self.ends[*at]);
            // `max_by_key` keeps the last of equals, so walk backwards for the first.
            let most = ends.clone().rev().max_by_key(|end| end.amount).expect("a place has an end");
            let (amount, hops) =
                (ends.clone().map(|end| end.amount).sum(), ends.clone().map(|end| end.hops).min().unwrap_or(0));
            let each: Vec<(OutputIndex, Amount)> = ends.clone().map(|end| (end.output, end.amount)).collect();
            let grade = match &most.reason {
                Reason::Tagged(tag) => Grade::of_tag(tag),
                Reason::Classified(classed) => {
                    Grade::of_class(u8::try_from(classed.confidence_ppm / 10_000).ok(), None)
                }
                _ => Grade::Unsaid,
            };
            Lead {
                address: Option::<AddressIndex>::map(address, |index| self.view.address(index)),
                outpoint: self.view.output(most.output).outpoint(),
                amount,
                outputs: ends.map(|end| end.output).collect(),
                hops,
                reason: most.reason.clone(),
                rank: Rank::of(self, seeded, most.output, &each, (Exit::of(&most.reason), grade), hops),
            }
        };
        Leads { leads: places.into_iter().map(lead).collect() }
    }
}
