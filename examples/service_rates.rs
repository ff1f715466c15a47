//! How well deposit addresses are found from one tag for each exchange, on simulated worlds: the tables that COMPARE.md carries.
//!
//! `cargo run --release --features simulate --example service_rates`

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use fundtrace::cluster::{self, Guard};
use fundtrace::detect::{Confidence, Verdict};
use fundtrace::eval::{self, DepositScore, DepositUse};
use fundtrace::service::deposit::{self, Deposits, Terms};
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::tag::Tags;
use fundtrace::truth::{EntityKind, Kind, Truth};
use fundtrace::{AddressIndex, View};

const TXS: u64 = 60_000;
const SEEDS: [u64; 6] = [1, 2, 3, 4, 5, 6];
/// How sure a deposit must be, in per cent.
const SURE: [u32; 4] = [0, 80, 90, 95];
const ROWS: [&str; 4] = [
    "one each, with its cluster by spending",
    "the same, of exchanges that pay from at most 30 addresses",
    "the same, of exchanges that pay from new addresses",
    "one each, the address alone",
];
/// How often an address of nobody's was paid.
const NOBODY: [usize; 3] = [1, 2, 10];

/// Rows of the table.
#[derive(Default)]
struct Scores(BTreeMap<(usize, u32), DepositScore>);

impl Scores {
    fn add(&mut self, row: usize, view: View<'_>, truth: &Truth, found: &Deposits) {
        for sure in SURE {
            let score = eval::deposits(view, truth, found, Confidence::from_percent(sure));
            self.0.entry((row, sure)).or_default().add(&score);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut scores = Scores::default();
    let mut wrong = [[0_usize; 3]; NOBODY.len()];
    let (mut exchanges, mut rotating, mut addresses) = (0, 0, 0);
    for seed in SEEDS {
        let (chain, truth) = World::new(WorldSpec::new(TXS), seed).known(&std::env::temp_dir())?;
        let view = chain.view();
        let guard = Guard::default();
        let clusters = cluster::by_spending(view, |tx| guard.skips(tx));
        let find = |tags: &Tags| deposit::find(view, tags, Some(&clusters), &Terms::default());
        let tags = eval::one_tag_each(view, &truth, EntityKind::Exchange);
        scores.add(0, view, &truth, &find(&tags));
        let (few, many) = by_wallet(view, &truth, &tags);
        exchanges += tags.len();
        rotating += many.len();
        addresses += view.addresses();
        scores.add(1, view, &truth, &find(&few));
        scores.add(2, view, &truth, &find(&many));
        scores.add(3, view, &truth, &deposit::find(view, &tags, None, &Terms::default()));
        for (row, receipts) in wrong.iter_mut().zip(NOBODY) {
            let tags = eval::tags_on_nobody(view, &truth, 100, receipts);
            let found = find(&tags);
            let yes = || found.iter().filter(|deposit| deposit.verdict == Verdict::Yes);
            let sure = yes().filter(|deposit| deposit.confidence >= Confidence::from_percent(80)).count();
            for (sum, more) in row.iter_mut().zip([tags.len(), yes().count(), sure]) {
                *sum += more;
            }
        }
    }
    println!(
        "Deposit addresses from one tag for each exchange; in simulation; not a known error rate on the real chain."
    );
    println!(
        "{} worlds of {TXS} transactions, {exchanges} exchanges, of which {rotating} pay from a new address each time; {addresses} addresses.\n",
        SEEDS.len()
    );
    let uses = DepositUse::ALL.map(DepositUse::as_str).join(" | ");
    println!(
        "| tags | at least so sure | named | precision | recall of swept | recall of all | {uses} | decoys named |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for ((row, sure), score) in &scores.0 {
        let uses = score.by_use.map(|of| format!("{of:.3}")).join(" | ");
        let (precision, named, swept, all) = (score.precision, score.precision.den, score.swept(), score.recall);
        let what = ROWS[*row];
        println!(
            "| {what} | {sure} % | {named} | {precision:.4} | {swept:.3} | {all:.3} | {uses} | {:.4} |",
            score.decoys
        );
    }
    println!("\n| wrong tags, on addresses of nobody | tags | named | named with 80 % |");
    println!("|---|---|---|---|");
    for ([tags, named, sure], receipts) in wrong.into_iter().zip(NOBODY) {
        println!("| paid {receipts} times or more | {tags} | {named} | {sure} |");
    }
    Ok(())
}

/// The tags of exchanges that pay withdrawals from at most thirty addresses, and those of the others.
fn by_wallet(view: View<'_>, truth: &Truth, tags: &Tags) -> (Tags, Tags) {
    let mut from: BTreeMap<&str, BTreeSet<AddressIndex>> = BTreeMap::new();
    for tx in view.txs().filter(|tx| truth.kind(tx.index()) == Some(Kind::Withdrawal)) {
        let spent = tx.inputs().next().and_then(|input| input.prevout());
        if let Some(owner) = spent.and_then(|spent| truth.owner(spent.index())) {
            let addresses = tx.inputs().filter_map(|input| input.address_index());
            from.entry(&truth.entity(owner).name).or_default().extend(addresses);
        }
    }
    let (mut few, mut many) = (Tags::default(), Tags::default());
    for (script, tag) in tags.iter().flat_map(|(script, tags)| tags.iter().map(move |tag| (script, tag))) {
        let addresses = from.get(tag.label.as_str()).map_or(0, BTreeSet::len);
        if addresses > 30 { &mut many } else { &mut few }.insert(script.to_owned(), tag.clone());
    }
    (few, many)
}
