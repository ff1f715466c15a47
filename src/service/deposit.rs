//! Deposit addresses: whose every coin goes to one service, and how sure that is.
//!
//! [`find`] returns [`Deposits`]. An exchange gives each customer an address and sweeps what arrives there into its hot wallet. So an address is a deposit
//! address of service S when
//!
//! 1. every transaction that spends from it gives S all that it pays (the design's 90 % let a hot wallet's own payments with large change pass as sweeps), or goes nowhere known but spends mostly from addresses that S sweeps,
//! 2. those transactions spend at least half from such addresses and S itself (stricter, one unlearned wallet sinks all siblings),
//! 3. the median time from receipt to sweep is below three days, and there is a sweep with a sibling (another such address in the same
//!    transaction) or with a coin of S's own, or ten more addresses that are swept alone like it, or a sweep that is dealt out over several addresses of S, as an
//!    outside payer seldom does; that it was swept twice tells it from no wallet that forwards,
//! 4. S never pays it, and no CoinJoin does.
//!
//! All of one sweep may be one wallet's, and so may all of several. So without a coin of S's own in a sweep the confidence stays at two to one unless ten other
//! deposit addresses of S are swept elsewhere, and then too for an address that is neither swept with siblings, nor alone as ten others are, nor dealt out twice.
//! A tag counts where it [names a service](Tag::names_service), and only what was paid on a day on which it holds is a sweep; on a day that nobody knows it may hold.
//!
//! Where all but 3 hold, the verdict is *undecided*: activity alone (somebody's coins went to S) is no evidence for a stop, and the confidence says so. S begins with the tagged
//! addresses, their clusters if the caller has any, and grows: a place to which ten different such addresses hand coins is S's too, and so is one that collects from ten and
//! hands on to S (a sweep through a hop), unless another tag contradicts. Then every learned place must still have its ten among the addresses that passed, or it is taken
//! back and all are judged again. A tagged place that itself only hands on, in transactions of one output, is a deposit address and no hot wallet: it begins the search from the other side.
//!
//! An address that was never swept shows nothing of this and is left out: nothing on the chain tells it from its neighbours. Once it is swept it is found; of addresses that are
//! used again, what waits there now is in [`Deposit::waiting`]. A coin that went alone to an address that has not moved since cannot tell where it went: [`Deposit::open`].
//!
//! 1. Victor: Address clustering heuristics for Ethereum (Financial Cryptography 2020), section 4.1, for the idea on another kind of chain.
//! 2. The numbers 90 %, three days and ten are the design's; the weights of the [confidence](Deposit::confidence) are ours.
//!
//! # Examples
//!
//! Two customers pay into addresses 1 and 2, which are swept together into the hot wallet, 9.
//!
//! ```
//! use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
//! use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! use fundtrace::service::deposit::{self, Terms};
//! use fundtrace::tag::{Tag, Tags};
//! use fundtrace::BlockHeight;
//!
//! let script = |key: u8| ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20]));
//! let to = |key: u8, sat| TxOut { value: Amount::from_sat(sat), script_pubkey: script(key) };
//! let coin = |tx: u8, vout| NewInput::new(OutPoint::new(Txid::from_byte_array([tx; 32]), vout));
//! let mut builder = ChainBuilder::new();
//! let mut add = |tx: u8, height, inputs, outputs| {
//!     builder.insert(NewTx::claimed(Txid::from_byte_array([tx; 32]), inputs, outputs).height(BlockHeight::from_u32(height)))
//! };
//! add(11, 100, vec![coin(1, 0).prevout(to(51, 90))], vec![to(1, 50), to(52, 40)])?;
//! add(12, 101, vec![coin(2, 0).prevout(to(53, 90))], vec![to(2, 60), to(54, 30)])?;
//! add(13, 110, vec![coin(11, 0), coin(12, 0)], vec![to(9, 105)])?;
//! let chain = builder.finish()?;
//!
//! let mut tags = Tags::default();
//! tags.insert(script(9), Tag::new("Example Exchange", "exchange", "withdrew there"));
//! let found = deposit::find(chain.view(), &tags, None, &Terms::default());
//! assert_eq!(found.len(), 2);
//! let deposit = found.of(chain.view().address_index(&script(1)).unwrap()).unwrap();
//! assert_eq!(found.service(deposit).label, "Example Exchange");
//! assert_eq!((deposit.sweeps, deposit.siblings, deposit.delay), (1, 1, Some(10)));
//! assert_eq!(deposit.confidence.to_ppm(), 666_667);
//! # Ok::<(), fundtrace::Error>(())
//! ```
//!
//! # Fooled by
//!
//! The same chain, if 1 and 2 are of one thief, who joins both coins to pay them into 9: his own addresses are called deposit addresses. At two to one; but where ten
//! others are swept elsewhere, as at any exchange of some size, a payment of six of his coins is graded eight to one. Nothing in
//! the form tells it from one. A customer who pays such an exchange without change, each time from one address, is taken for a deposit address if ten others do so too;
//! so is who makes a payjoin with it and keeps nothing. A shop that sweeps the addresses of its invoices every day to its one deposit address at an exchange looks like an
//! exchange that collects in two steps, and its addresses are taken for the exchange's. A tag on a wallet that is no service's makes deposit addresses of
//! what the wallet joins with its own coins.
//!
//! ```
//! # use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
//! # use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! # use fundtrace::service::deposit::{self, Terms};
//! # use fundtrace::tag::{Tag, Tags};
//! # use fundtrace::BlockHeight;
//! # let script = |key: u8| ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20]));
//! # let to = |key: u8, sat| TxOut { value: Amount::from_sat(sat), script_pubkey: script(key) };
//! # let coin = |tx: u8, vout| NewInput::new(OutPoint::new(Txid::from_byte_array([tx; 32]), vout));
//! # let mut builder = ChainBuilder::new();
//! # let mut add = |tx: u8, height, inputs, outputs| {
//! #     builder.insert(NewTx::claimed(Txid::from_byte_array([tx; 32]), inputs, outputs).height(BlockHeight::from_u32(height)))
//! # };
//! // A thief splits what he stole over his addresses 1 and 2, and pays both into the exchange, 9.
//! add(11, 100, vec![coin(1, 0).prevout(to(51, 90))], vec![to(1, 50), to(2, 40)])?;
//! add(12, 110, vec![coin(11, 0), coin(11, 1)], vec![to(9, 85)])?;
//! let chain = builder.finish()?;
//! let mut tags = Tags::default();
//! tags.insert(script(9), Tag::new("Example Exchange", "exchange", "withdrew there"));
//! let found = deposit::find(chain.view(), &tags, None, &Terms::default());
//! assert!(found.iter().all(|wrong| wrong.confidence.to_ppm() == 666_667));
//! assert_eq!(found.len(), 2);
//! # Ok::<(), fundtrace::Error>(())
//! ```

mod days;
mod grade;
mod judge;
mod learn;
mod moves;
mod places;

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::Amount;

use super::hot_wallet::{HotWallet, How};
use crate::chain::{Output, Tx, View};
use crate::cluster::Clusters;
use crate::detect::{Confidence, Feature, Finding, Kind, Verdict};
use crate::id::{self, AddressIndex, TxIndex};
use crate::tag::{Tag, Tags};
use days::Days;
use moves::{Moves, payers};
use places::{NONE, Places};

/// The rule's name and version.
pub const RULE: &str = "deposit/2";

/// So many other addresses that are swept alone make up for a sibling.
const ALIKE_MIN: u32 = 10;

/// So many other deposit addresses of the service are swept in other transactions before siblings say much (ours).
const OUTSIDE_MIN: u32 = 10;

/// The thresholds of the rule.
///
/// # Examples
///
/// ```
/// let terms = fundtrace::service::deposit::Terms::default();
/// assert_eq!((terms.depositors_min, terms.share_min_ppm, terms.delay_max), (10, 1_000_000, 432));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Terms {
    /// So many different deposit addresses must hand coins to a place before it counts as the service's.
    pub depositors_min: u32,
    /// So large a part of a sweep goes to the service, in parts of a million.
    pub share_min_ppm: u32,
    /// The median time from receipt to sweep is below this, in blocks.
    pub delay_max: u32,
    /// From this confidence on a transaction counts as a CoinJoin.
    pub mix: Confidence,
}

impl Default for Terms {
    fn default() -> Self {
        Self { depositors_min: 10, share_min_ppm: 1_000_000, delay_max: 432, mix: Confidence::from_percent(60) }
    }
}

impl std::fmt::Display for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { depositors_min, share_min_ppm, delay_max, mix } = self;
        write!(f, "depositors_min {depositors_min}, share_min {share_min_ppm} ppm, delay_max {delay_max} blocks, ")?;
        write!(f, "mix {} ppm", mix.to_ppm())
    }
}

/// An address that is said to be a deposit address, and what that rests on.
///
/// # Examples
///
/// See [`deposit`](self).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Deposit {
    /// The address.
    pub address: AddressIndex,
    service: u32,
    /// Transactions that hand its coins to the service.
    pub sweeps: u32,
    /// The most other addresses that one of them spends from, the service's own aside.
    pub siblings: u32,
    /// Of one without siblings: how many other addresses of the service are like it in that.
    pub alike: u32,
    /// Outputs that pay it.
    pub receipts: u32,
    /// Different addresses that its payers spend from first.
    pub payers: u32,
    /// The median time from receipt to sweep in blocks, where heights are known.
    pub delay: Option<u32>,
    /// The least part of a sweep that goes to the service, in parts of a million.
    pub share_ppm: u32,
    /// What was swept.
    pub swept: Amount,
    /// What went, alone, to an output that nothing spends: nobody can tell whether that is the service's.
    pub open: Amount,
    /// What was received and not spent.
    pub waiting: Amount,
    /// Sweeps that are dealt out over several addresses of the service.
    pub dealt: u32,
    /// Some sweep spends a coin of the service's own as well: who signed for it has the keys of both.
    pub cosigned: bool,
    /// How many other deposit addresses of the service there are that its fullest sweep does not spend from.
    pub outside: u32,
    /// No sweep goes to a place that is tagged; they go to such as were learned.
    pub learned: bool,
    /// Every sweep goes through a collecting address.
    pub collected: bool,
    /// Yes, or undecided where the third rule does not hold.
    pub verdict: Verdict,
    /// The grade: from -1 bit for activity alone, bits for sweeps, siblings, haste, reuse, dealing out and a coin of the service's own, bits off for what was learned,
    /// collected or open, and one bit at most where nothing bears it out; `b` bits are odds of `2^b` to one.
    pub confidence: Confidence,
}

/// Deposit addresses of tagged services, and the wallets that they lead to.
///
/// # Examples
///
/// See [`deposit`](self).
#[derive(Clone, Debug)]
pub struct Deposits {
    services: Vec<Arc<Tag>>,
    found: Vec<Deposit>,
    hot: Vec<HotWallet>,
    disputed: Vec<AddressIndex>,
    whole: bool,
    terms: Terms,
    /// The service of each address that is a service's own; [`NONE`] elsewhere.
    service_of: Vec<u32>,
    /// The tags of those that are tagged themselves.
    own: BTreeMap<AddressIndex, Arc<Tag>>,
    days: Days,
}

/// Finds the deposit addresses of services of which at least one address is tagged, on the caller's rayon pool.
///
/// Tags of one label are one service; the first tag of each stands for it. `clusters` say which addresses have one owner; with
/// [`by_spending`](crate::cluster::by_spending) a tag on one address of a hot wallet covers what it is spent with. Clusters of change rules may be wrong in ways that
/// make a customer part of the service.
///
/// # Complexity
///
/// Linear in the chain up to sorting: a pass over outputs and one over inputs for the transactions that hand all to one place, then what leads to services alone. A learned place that is
/// taken back costs one more round over that.
///
/// # Examples
///
/// See [`deposit`](self).
pub fn find(view: View<'_>, tags: &Tags, clusters: Option<&Clusters>, terms: &Terms) -> Deposits {
    let mut places = Places::of(view, tags, clusters);
    let mut found = Vec::new();
    let mut learned = Vec::new();
    let mut whole = true;
    let mut depositors = Vec::new();
    if !places.services.is_empty() {
        let moves = Moves::of(view, &places, terms.share_min_ppm);
        let mut grown = learn::learn(view, &mut places, &moves, clusters, terms);
        found = judge::judge(view, &places, &moves, &grown, terms);
        while judge::unlearn(view, &mut places, &moves, &mut grown, &found, terms) {
            found = judge::judge(view, &places, &moves, &grown, terms);
        }
        let homes = places.services.iter().filter(|(_, home)| *home != NONE).map(|(_, home)| (*home, How::Tagged));
        learned = homes.chain(grown.places.iter().copied()).collect();
        depositors = learned.iter().map(|(place, _)| handed(view, &moves, &found, *place)).collect();
        whole = grown.whole;
    }
    let service_of: Vec<u32> = places.of.iter().map(|place| places.service[id::at(*place)]).collect();
    let hot = hot_wallets(&places, &learned, depositors);
    let first = |place: &u32| places.of.iter().position(|of| of == place).map(AddressIndex::of);
    let disputed = places.disputed.iter().filter_map(first).collect();
    let services: Vec<Arc<Tag>> = places.services.into_iter().map(|(tag, _)| tag).collect();
    let own = tags.addresses(view).into_iter().filter_map(|(address, tags)| {
        let service = *service_of.get(address.at()).filter(|service| **service != NONE)?;
        let is_of = |tag: &&Tag| tag.names_service() && tag.label == services[id::at(service)].label;
        Some((address, Arc::new(tags.into_iter().find(is_of)?.clone())))
    });
    let own = own.collect();
    Deposits { services, found, hot, disputed, whole, terms: *terms, service_of, own, days: places.days }
}

/// How many addresses hand coins to a place, and in which transactions.
type Handed = (u32, Vec<TxIndex>);

/// How many of those found hand coins to a place, and the transactions in which they do, in chain order.
fn handed(view: View<'_>, moves: &Moves, found: &[Deposit], place: u32) -> Handed {
    let is_found = |from: &AddressIndex| found.binary_search_by_key(from, |deposit| deposit.address).is_ok();
    let (mut from, mut txs) = (Vec::new(), Vec::new());
    for form in moves.into(place) {
        let (tx, before) = (moves.form(form).tx, from.len());
        from.extend(payers(view.tx(tx)).0.into_iter().filter(is_found));
        if from.len() > before {
            txs.push(tx);
        }
    }
    from.sort_unstable();
    from.dedup();
    (id::small(from.len()), txs)
}

/// The places of services, by their first address.
fn hot_wallets(places: &Places, known: &[(u32, How)], depositors: Vec<Handed>) -> Vec<HotWallet> {
    let mut by_place: Vec<(u32, How, Handed, Option<usize>, u32)> =
        known.iter().zip(depositors).map(|((place, how), handed)| (*place, *how, handed, None, 0)).collect();
    by_place.sort_unstable();
    for (at, place) in places.of.iter().enumerate() {
        if places.service[id::at(*place)] != NONE
            && let Ok(known) = by_place.binary_search_by_key(place, |(place, ..)| *place)
        {
            by_place[known].3.get_or_insert(at);
            by_place[known].4 += 1;
        }
    }
    let wallet = |(place, how, (depositors, rests_on), first, addresses): (_, _, _, Option<usize>, _)| {
        let service = places.services[id::at(places.service[id::at(place)])].0.label.clone();
        Some(HotWallet { address: AddressIndex::of(first?), addresses, service, how, depositors, rests_on })
    };
    let mut hot: Vec<HotWallet> = by_place.into_iter().filter_map(wallet).collect();
    hot.sort_by_key(|wallet| wallet.address);
    hot
}

impl Deposits {
    /// Returns the deposit address at an address; undecided ones too. Logarithmic time.
    pub fn of(&self, address: AddressIndex) -> Option<&Deposit> {
        let at = self.found.binary_search_by_key(&address, |deposit| deposit.address).ok()?;
        Some(&self.found[at])
    }

    /// Iterates all of them in chain order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Deposit> {
        self.found.iter()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns the tag that stands for a deposit address's service.
    ///
    /// # Panics
    ///
    /// When the deposit is of other tags and there are fewer services here.
    pub fn service(&self, deposit: &Deposit) -> &Arc<Tag> {
        &self.services[id::at(deposit.service)]
    }

    /// Returns the services, by their first tagged address.
    pub fn services(&self) -> &[Arc<Tag>] {
        &self.services
    }

    /// Returns the service whose own an address is: tagged, clustered with a tagged one, or learned.
    pub fn owner(&self, address: AddressIndex) -> Option<&Arc<Tag>> {
        self.index_of(address).map(|service| &self.services[id::at(service)])
    }

    /// Returns the tag on a service's address itself; `None` where it has none, or another's. Several sources may name one service, each of its own address: who
    /// rests on an address must quote the source that speaks of it.
    pub fn own_tag(&self, address: AddressIndex) -> Option<&Arc<Tag>> {
        self.own.get(&address)
    }

    /// Returns what a deposit address rests on: an address of the service to which it was swept, one that is tagged itself if there is one, and the tag on
    /// it, or else the tag that stands for the service.
    ///
    /// Linear in the outputs of its sweeps.
    ///
    /// # Panics
    ///
    /// As [`service`](Self::service), and when the view is of another chain.
    pub fn ground(&self, view: View<'_>, deposit: &Deposit) -> (Option<AddressIndex>, &Arc<Tag>) {
        let service = self.service(deposit);
        let of_service = |address: &AddressIndex| self.owner(*address).is_some_and(|owner| Arc::ptr_eq(owner, service));
        let paid = self.sweeps(view, deposit).into_iter().flat_map(|tx| view.tx(tx).outputs());
        let paid: Vec<AddressIndex> = paid.filter_map(|output| output.address_index()).filter(of_service).collect();
        let tagged = paid.iter().find(|address| self.own.contains_key(*address));
        let place = tagged.or(paid.first()).copied();
        (place, place.and_then(|place| self.own_tag(place)).unwrap_or(service))
    }

    pub(super) fn index_of(&self, address: AddressIndex) -> Option<u32> {
        self.service_of.get(address.at()).copied().filter(|service| *service != NONE)
    }

    /// Returns the services' wallets, by their first address.
    pub fn hot_wallets(&self) -> &[HotWallet] {
        &self.hot
    }

    /// Returns the first address of each place that is tagged with different labels; it counts as nobody's here.
    pub fn disputed(&self) -> &[AddressIndex] {
        &self.disputed
    }

    /// False when the search for collecting addresses was cut after sixteen rounds.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Returns the thresholds.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns the transactions that hand a deposit address's coins to the service, in chain order, and the other addresses that they spend from.
    ///
    /// Linear in the address's outputs and in those transactions' inputs and outputs.
    pub fn evidence(&self, view: View<'_>, deposit: &Deposit) -> (Vec<TxIndex>, Vec<AddressIndex>) {
        let sweeps = self.sweeps(view, deposit);
        let mut siblings: Vec<AddressIndex> = sweeps.iter().flat_map(|tx| payers(view.tx(*tx)).0).collect();
        siblings.retain(|address| *address != deposit.address && self.index_of(*address) != Some(deposit.service));
        siblings.sort_unstable();
        siblings.dedup();
        (sweeps, siblings)
    }

    fn sweeps(&self, view: View<'_>, deposit: &Deposit) -> Vec<TxIndex> {
        let spenders = view.outputs_of(deposit.address);
        let spenders = spenders.iter().filter_map(|output| view.output(output).spender());
        let is_sweep = |tx: &Tx<'_>| tx.outputs().any(|output| self.is_to(output, deposit.service));
        let mut sweeps: Vec<TxIndex> = spenders.filter(is_sweep).map(|tx| tx.index()).collect();
        sweeps.sort_unstable();
        sweeps.dedup();
        sweeps
    }

    fn is_to(&self, output: Output<'_>, service: u32) -> bool {
        let address = output.address_index();
        address.and_then(|address| self.index_of(address)) == Some(service) && self.days.hold(address, output.tx())
    }

    /// True when some sweep goes to an address of which a tag holds on some days only, and nobody knows on which day it was.
    pub(crate) fn is_undated(&self, view: View<'_>, deposit: &Deposit) -> bool {
        let limited = |output: Output<'_>| output.address_index().is_some_and(|to| self.days.are_limited(to));
        let sweeps = self.sweeps(view, deposit).into_iter().map(|tx| view.tx(tx));
        sweeps.filter(|tx| tx.time().is_none()).any(|tx| tx.outputs().any(limited))
    }

    /// Writes a deposit address out as a finding, with everything that was looked at, the thresholds and the sweeps. It is of an address, so whoever prints it
    /// adds that.
    ///
    /// Linear in the address's outputs and in the outputs of its sweeps.
    pub fn finding(&self, view: View<'_>, deposit: &Deposit) -> Finding {
        let finding = Finding::new(Kind::Deposit, "deposit", RULE, deposit.confidence).verdict(deposit.verdict);
        let finding = super::rests_on(finding, view, &self.sweeps(view, deposit));
        let (place, tag) = self.ground(view, deposit);
        let mut finding = super::of_service(finding, tag)
            .feature("is_paid_tagged", place.is_some_and(|place| self.own_tag(place).is_some()))
            .feature("sweeps", deposit.sweeps)
            .feature("siblings", deposit.siblings)
            .feature("alike", deposit.alike)
            .feature("receipts", deposit.receipts)
            .feature("payers", deposit.payers)
            .feature("share_ppm", deposit.share_ppm)
            .feature("share_min_ppm", self.terms.share_min_ppm)
            .feature("depositors_min", self.terms.depositors_min)
            .feature("mix_confidence_min_ppm", self.terms.mix.to_ppm())
            .feature("delay_max_blocks", self.terms.delay_max)
            .feature("dealt", deposit.dealt)
            .feature("cosigned", deposit.cosigned)
            .feature("outside", deposit.outside)
            .feature("outside_min", OUTSIDE_MIN)
            .feature("learned", deposit.learned)
            .feature("collected", deposit.collected);
        for (name, value) in
            [("swept_sat", deposit.swept), ("open_sat", deposit.open), ("waiting_sat", deposit.waiting)]
        {
            finding = finding.feature(name, Feature::Value(value));
        }
        match deposit.delay {
            Some(blocks) => finding.feature("delay_median_blocks", blocks),
            None => finding,
        }
    }
}
