//! The wallets of a service: what it pays from and collects to, what it puts aside.
//!
//! Hot wallets are found together with deposit addresses ([`deposit::find`](super::deposit::find)), because either shows the other: a place to which ten
//! different deposit addresses hand their coins is the service's. [`cold`] finds places that only the service pays and that pay only the service.
//!
//! # Fooled by
//!
//! A customer who withdraws to an address and later pays from it straight back into the hot wallet, and does nothing else with it, keeps what looks
//! like a cold wallet. See [`cold`].

use bitcoin::Amount;

use super::deposit::Deposits;
use crate::chain::View;
use crate::cluster::Clusters;
use crate::detect::{Confidence, Feature, Finding, Kind, Verdict};
use crate::id::{self, AddressIndex, TxIndex};

/// The name and version of what [`cold`] says.
pub const COLD_RULE: &str = "cold_wallet/1";

/// The name and version of what is said of a hot wallet. How places are learned is a part of [`deposit::RULE`](super::deposit::RULE).
pub const RULE: &str = "hot_wallet/1";

/// So many transactions of the service fill a cold wallet.
const FILLED_MIN: usize = 2;

/// How a place is known to be a service's.
///
/// # Examples
///
/// ```
/// use fundtrace::service::hot_wallet::How;
/// assert_eq!(How::Collecting.as_str(), "collecting");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum How {
    /// A tag says so, of an address or of one in the same cluster.
    Tagged,
    /// Enough deposit addresses of the service hand their coins to it.
    Learned,
    /// It collects the coins of deposit addresses and hands them to the service.
    Collecting,
}

impl How {
    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tagged => "tagged",
            Self::Learned => "learned",
            Self::Collecting => "collecting",
        }
    }
}

/// A place that is said to be a service's: an address, or the addresses of a cluster.
///
/// # Examples
///
/// See [`deposit`](super::deposit).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HotWallet {
    /// Its first address in chain order.
    pub address: AddressIndex,
    /// How many addresses it has.
    pub addresses: u32,
    /// The service's label.
    pub service: String,
    /// How it is known.
    pub how: How,
    /// How many of the deposit addresses found hand coins to it: what it rests on where it is learned.
    pub depositors: u32,
    /// The transactions in which they do, in chain order.
    pub rests_on: Vec<TxIndex>,
}

impl HotWallet {
    /// Writes it out as a finding, of its first address. A tagged place to which too few deposit addresses hand coins is *undecided*: the tag says whose it is,
    /// and nothing on the chain what it is for.
    ///
    /// The confidences are the author's grades: 90 % for a tagged place with enough depositors, 80 % for a learned, 70 % for a collecting one, 50 % for a tag alone.
    /// In twelve simulated worlds of 30,000 transactions with right tags all of 9 learned and 20 collecting places are the service's; the grades are lower because
    /// a wrong tag leads on to places as well as a right one.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::service::deposit;
    /// use fundtrace::tag::Tags;
    /// let chain = fundtrace::ChainBuilder::new().finish()?;
    /// let found = deposit::find(chain.view(), &Tags::default(), None, &deposit::Terms::default());
    /// let said: Vec<_> = found.hot_wallets().iter().map(|wallet| wallet.finding(chain.view(), &found)).collect();
    /// assert!(said.is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn finding(&self, view: View<'_>, services: &Deposits) -> Finding {
        let depositors_min = services.terms().depositors_min;
        let (verdict, percent) = match self.how {
            How::Tagged if self.depositors < depositors_min => (Verdict::Undecided, 50),
            How::Tagged => (Verdict::Yes, 90),
            How::Learned => (Verdict::Yes, 80),
            How::Collecting => (Verdict::Yes, 70),
        };
        let finding =
            Finding::new(Kind::HotWallet, "hot_wallet", RULE, Confidence::from_percent(percent)).verdict(verdict);
        super::rests_on(of_service(finding, self.address, &self.service, services), view, &self.rests_on)
            .feature("how", self.how.as_str())
            .feature("addresses", self.addresses)
            .feature("depositors", self.depositors)
            .feature("depositors_min", depositors_min)
    }
}

/// With the tag on the address itself, or else the one that stands for its service.
fn of_service(finding: Finding, address: AddressIndex, label: &str, services: &Deposits) -> Finding {
    let stands = || services.services().iter().find(|tag| tag.label == label);
    match services.own_tag(address).or_else(stands) {
        Some(tag) => super::of_service(finding, tag),
        None => finding.feature("service", label),
    }
}

/// A place that only the service pays, and that pays only the service.
///
/// # Examples
///
/// See [`cold`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ColdWallet {
    /// Its first address in chain order.
    pub address: AddressIndex,
    /// The service's label.
    pub service: String,
    /// What it was paid.
    pub received: Amount,
    /// The service's transactions that pay it, in chain order.
    pub filled: Vec<TxIndex>,
    /// Its transactions that pay the service, in chain order.
    pub returned: Vec<TxIndex>,
}

impl ColdWallet {
    /// Writes it out as a finding, of its first address, with what fills it and then what it returns.
    ///
    /// 30 %, the author's grade: a customer who pays back looks the same.
    ///
    /// # Examples
    ///
    /// As [`HotWallet::finding`].
    pub fn finding(&self, view: View<'_>, services: &Deposits) -> Finding {
        let finding = Finding::new(Kind::ColdWallet, "cold_wallet", COLD_RULE, Confidence::from_percent(30));
        let txs: Vec<TxIndex> = self.filled.iter().chain(&self.returned).copied().collect();
        super::rests_on(of_service(finding, self.address, &self.service, services), view, &txs)
            .feature("received_sat", Feature::Value(self.received))
            .feature("filled", self.filled.len())
            .feature("filled_min", FILLED_MIN)
            .feature("returned", self.returned.len())
    }
}

/// Finds cold wallets: places that at least two transactions of a service pay and nobody else, and whose every transaction pays the service and
/// themselves alone, of which there is one at least. In the order of their first address.
///
/// An address that never paid back is not told from a customer's, and is left out.
///
/// # Complexity
///
/// One pass over the transactions for those that services pay, then the outputs of what they pay.
///
/// # Examples
///
/// ```
/// use fundtrace::service::{deposit, hot_wallet};
/// use fundtrace::tag::Tags;
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let found = deposit::find(chain.view(), &Tags::default(), None, &deposit::Terms::default());
/// assert!(hot_wallet::cold(chain.view(), &found, None).is_empty());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn cold(view: View<'_>, services: &Deposits, clusters: Option<&Clusters>) -> Vec<ColdWallet> {
    let mut paid: Vec<(AddressIndex, u32)> = view.gather(|tx, found| {
        let mut from = tx.inputs().filter_map(|input| services.index_of(input.address_index()?));
        if let Some(service) = from.next() {
            let strange = |address: &AddressIndex| services.index_of(*address).is_none();
            let to = tx.outputs().filter_map(|output| output.address_index()).filter(strange);
            found.extend(to.map(|address| (address, service)));
        }
    });
    for (address, _) in &mut paid {
        let cluster = clusters.and_then(|clusters| Some(clusters.first(clusters.of(*address)?)));
        *address = cluster.unwrap_or(*address);
    }
    paid.sort_unstable();
    paid.dedup();
    let mut found = Vec::new();
    for (address, service) in paid {
        let cluster = clusters.and_then(|clusters| Some(clusters.members(clusters.of(address)?)));
        found.extend(wallet(view, services, service, cluster.unwrap_or(&[address])));
    }
    found
}

fn wallet(view: View<'_>, services: &Deposits, service: u32, members: &[AddressIndex]) -> Option<ColdWallet> {
    let own = |address: Option<AddressIndex>| address.is_some_and(|address| members.binary_search(&address).is_ok());
    let its = |address: Option<AddressIndex>| address.and_then(|address| services.index_of(address)) == Some(service);
    let (mut filled, mut returned, mut received) = (Vec::new(), Vec::new(), Amount::ZERO);
    for output in members.iter().flat_map(|member| view.outputs_of(*member).iter().collect::<Vec<_>>()) {
        let output = view.output(output);
        let tx = output.tx();
        // Of a coinbase and of a transaction that nobody supplied no payer is known.
        let change = tx.inputs().all(|input| own(input.address_index()));
        let paid = tx.inputs().all(|input| its(input.address_index()));
        if tx.inputs().len() == 0 || !(change || paid) {
            return None;
        }
        if !change {
            filled.push(tx.index());
            received += output.value().unwrap_or(Amount::ZERO);
        }
        if let Some(spender) = output.spender() {
            let mut to = spender.outputs().map(|output| output.address_index());
            if !to.all(|address| own(address) || its(address)) {
                return None;
            }
            returned.push(spender.index());
        }
    }
    for list in [&mut filled, &mut returned] {
        list.sort_unstable();
        list.dedup();
    }
    if filled.len() < FILLED_MIN || returned.is_empty() {
        return None;
    }
    let service = services.services()[id::at(service)].label.clone();
    Some(ColdWallet { address: members[0], service, received, filled, returned })
}
