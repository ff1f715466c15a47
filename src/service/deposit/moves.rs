//! Transactions that hand all they have to one place, and the addresses whose coins only ever leave in such transactions.

use super::places::{NONE, Places};
use crate::chain::{Payers, Tx, View};
use crate::id::{self, AddressIndex, TxIndex};

/// A transaction that hands all it has, or nearly, to one place.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) tx: TxIndex,
    pub(super) to: u32,
    /// It has one output, and nothing is seen to spend it.
    pub(super) open: bool,
}

/// Which transactions are of this form: `share_min_ppm` of what they pay goes to one place.
pub(super) fn forms(view: View<'_>, places: &Places, share_min_ppm: u32) -> Vec<Form> {
    view.gather(|tx, found| {
        if tx.is_coinbase() {
            return;
        }
        if let Some(to) = destination(tx, places, share_min_ppm) {
            let mut outputs = tx.outputs();
            let only = outputs.next().filter(|_| outputs.next().is_none());
            let open = only.is_some_and(|output| output.spender().is_none());
            found.push(Form { tx: tx.index(), to, open });
        }
    })
}

/// The place to which so large a share goes. A vote by weight finds the only one that can be; a second pass weighs it.
fn destination(tx: Tx<'_>, places: &Places, share_min_ppm: u32) -> Option<u32> {
    let paid = || tx.outputs().map(|output| (places.paid_by(output), output.value().map_or(0, |value| value.to_sat())));
    let (mut first, mut lead, mut total) = (NONE, 0_u64, 0_u64);
    for (place, sat) in paid() {
        total += sat;
        if place == first {
            lead += sat;
        } else if lead < sat {
            (first, lead) = (place, sat - lead);
        } else {
            lead -= sat;
        }
    }
    if first == NONE || total == 0 {
        return None;
    }
    let to: u64 = paid().filter(|(place, _)| *place == first).map(|(_, sat)| sat).sum();
    (u128::from(to) * 1_000_000 >= u128::from(total) * u128::from(share_min_ppm)).then_some(first)
}

/// The forms, by the addresses that they spend from and by the places that they pay.
pub(super) struct Moves {
    pub(super) forms: Vec<Form>,
    /// Address and form, sorted: of addresses whose every spend is of the form.
    by_address: Vec<(u32, u32)>,
    /// Place and form, sorted.
    by_place: Vec<(u32, u32)>,
    /// By address: some spend of it is of another form.
    other: Vec<bool>,
}

impl Moves {
    pub(super) fn of(view: View<'_>, places: &Places, share_min_ppm: u32) -> Self {
        let forms = forms(view, places, share_min_ppm);
        let mut other = vec![false; places.of.len()];
        let mut spent: Vec<(u32, u32)> = Vec::new();
        let payers = Payers::of(view);
        let mut next = 0;
        payers.each(payers.txs(), |tx, addresses| {
            if forms.get(next).is_some_and(|form| form.tx == tx) {
                spent.extend(addresses.iter().map(|address| (address.to_u32(), id::small(next))));
                next += 1;
            } else {
                addresses.iter().for_each(|address| other[address.at()] = true);
            }
        });
        spent.retain(|(address, _)| !other[id::at(*address)]);
        spent.sort_unstable();
        spent.dedup();
        let mut by_place: Vec<(u32, u32)> = (0..).zip(&forms).map(|(at, form)| (form.to, at)).collect();
        by_place.sort_unstable();
        Self { forms, by_address: spent, by_place, other }
    }

    pub(super) fn form(&self, at: u32) -> Form {
        self.forms[id::at(at)]
    }

    /// The forms that spend from an address; of one that is spent otherwise too, none.
    pub(super) fn from(&self, address: u32) -> impl Iterator<Item = u32> + '_ {
        run(&self.by_address, address)
    }

    /// The forms that pay a place.
    pub(super) fn into(&self, place: u32) -> impl Iterator<Item = u32> + '_ {
        run(&self.by_place, place)
    }

    /// True when an address is spent in no other way.
    pub(super) fn is_one_way(&self, address: AddressIndex) -> bool {
        !self.other[address.at()]
    }
}

fn run(sorted: &[(u32, u32)], key: u32) -> impl Iterator<Item = u32> + '_ {
    let from = sorted.partition_point(|(of, _)| *of < key);
    sorted[from..].iter().take_while(move |(of, _)| *of == key).map(|(_, at)| *at)
}

/// The different addresses that a transaction spends from, ascending, and whether every input has one.
pub(super) fn payers(tx: Tx<'_>) -> (Vec<AddressIndex>, bool) {
    let mut all: Vec<AddressIndex> = tx.inputs().filter_map(|input| input.address_index()).collect();
    let whole = all.len() == tx.inputs().len();
    all.sort_unstable();
    all.dedup();
    (all, whole)
}
