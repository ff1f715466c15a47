//! A simulated theft through every stage that stays on the chain, followed from one tag for each exchange to the deposit addresses where it is
//! cashed out; under every choice of what happens at a mix.
//!
//! The world's truth is known, so what is printed is held against it. The rules never see it.
//! `cargo run --release --features simulate --example laundering_route`

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use fundtrace::View;
use fundtrace::bitcoin::Amount;
use fundtrace::change::Change;
use fundtrace::cluster::{self, Guard};
use fundtrace::detect::{Confidence, coinjoin::Rules};
use fundtrace::eval;
use fundtrace::id::{AddressIndex, TheftIndex};
use fundtrace::report::{Classification, Report};
use fundtrace::service::deposit::{self, Deposits, Terms};
use fundtrace::service::peel::{self, Peels, Ratio};
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::spec::{self, Rule};
use fundtrace::tag::Tags;
use fundtrace::trace::stop::{self, Stop};
use fundtrace::trace::{Fold, Mixes, Mode, Options, Seed, Through, Trace};
use fundtrace::truth::{EntityKind, Truth};

const PROGRAMME: &str =
    "split 4, peel 40, decoys 5, dust 10, whirlpool 1, wasabi2, joinmarket, blend, shuffle 2, exchange";
const TXS: u64 = 30_000;
const SEED: u64 = 3;
/// How sure a rule must be of a deposit address for the trace to stop there.
const SURE: Confidence = Confidence::from_percent(60);

fn main() -> Result<(), Box<dyn Error>> {
    let world = World::new(WorldSpec::new(TXS).thefts(vec![PROGRAMME.parse()?]), SEED);
    let (chain, truth) = world.known(&std::env::temp_dir())?;
    let view = chain.view();
    let theft = TheftIndex::from_u32(0);
    let seeds: Vec<Seed> =
        truth.seeds(view, theft).iter().map(|(output, _)| view.output(*output).seed("theft")).collect();
    println!("{} transactions; the thief's programme: {PROGRAMME}", chain.summary().txs);

    // What the analyst has: one address of each exchange.
    let tags = eval::one_tag_each(view, &truth, EntityKind::Exchange);
    let guard = Guard::default();
    let clusters = cluster::by_spending(view, |tx| guard.skips(tx));
    let deposits = deposit::find(view, &tags, Some(&clusters), &Terms::default());
    println!(
        "{} tags; {} addresses are said to be deposit addresses by {}\n",
        tags.len(),
        deposits.len(),
        deposit::RULE
    );

    let cashed = cashed_out(view, &truth, theft);
    let total: Amount = cashed.values().copied().sum();
    println!("In truth {total} of the loot came to {} deposit addresses.\n", cashed.len());
    println!("| at a mix | rule | stands at deposit addresses | of the loot's | strangers' | adds up |");
    println!("|---|---|---|---|---|---|");
    for mode in Mode::ALL {
        let through = Through::new(mode, Mixes::new(Rules::default(), Confidence::from_percent(Mixes::PERCENT)));
        for rule in [Rule::Fifo, Rule::Haircut] {
            let known = stop::tagged(&tags).or(stop::classified(view, &deposits, SURE));
            let trace = rule.forward_through(view, &seeds, &known, &through, &Options::default());
            row(&trace, mode, rule, &deposits, &cashed);
            assert!(trace.balance().adds_up(), "the balance adds up whatever happens at a mix");
        }
    }
    told(view, &seeds, &tags, &deposits)
}

/// The truth: what of the loot came to which deposit address of an exchange.
fn cashed_out(view: View<'_>, truth: &Truth, theft: TheftIndex) -> BTreeMap<AddressIndex, Amount> {
    let mut cashed = BTreeMap::new();
    for exit in truth.exits(view, theft).iter().filter(|exit| exit.kind == EntityKind::Exchange) {
        if let Some(address) = view.output(exit.output).address_index() {
            *cashed.entry(address).or_insert(Amount::ZERO) += exit.amount;
        }
    }
    cashed
}

/// What a trace puts at addresses that a rule calls deposit addresses, and how much of that is at the loot's.
fn row(trace: &Trace<'_>, mode: Mode, rule: Rule, deposits: &Deposits, cashed: &BTreeMap<AddressIndex, Amount>) {
    let (mut at, mut right) = (Amount::ZERO, Amount::ZERO);
    let mut strangers = BTreeSet::new();
    let mut named = BTreeSet::new();
    for end in trace.ends() {
        let Some(address) = trace.view().output(end.output).address_index() else { continue };
        if deposits.of(address).is_none() {
            continue;
        }
        at += end.amount;
        if cashed.contains_key(&address) {
            right += end.amount;
            named.insert(address);
        } else {
            strangers.insert(address);
        }
    }
    assert!(!named.is_empty(), "the trace ends at deposit addresses to which loot came");
    println!(
        "| {} | {} | {at} | {right} at {} of {} addresses | {} at {} addresses | {} |",
        mode.as_str(),
        rule.as_str(),
        named.len(),
        cashed.len(),
        at - right,
        strangers.len(),
        if trace.balance().adds_up() { "yes" } else { "no" },
    );
}

/// The route as an investigator would read it: where mixes are crossed under the rule's own order, with a flag on all behind.
fn told(view: View<'_>, seeds: &[Seed], tags: &Tags, deposits: &Deposits) -> Result<(), Box<dyn Error>> {
    let known = stop::tagged(tags).or(stop::classified(view, deposits, SURE));
    let through = Through::new(Mode::Flag, Mixes::new(Rules::default(), Confidence::from_percent(Mixes::PERCENT)));
    let rules = [Rule::Fifo, Rule::Lifo, Rule::Haircut];
    let traces = spec::run_through(view, seeds, &rules, &known, &through, &Options::default());
    let classified: BTreeMap<AddressIndex, Classification> =
        deposits.iter().map(|deposit| (deposit.address, Classification::of_deposit(view, deposits, deposit))).collect();
    let report = Report::new(&traces)?.tags(tags, &[]).classified(&classified);
    println!("\nThe first three of {} leads:\n", report.sentences().len());
    for sentence in report.sentences().iter().take(3) {
        println!("{sentence}\n");
    }
    let peels = Peels::of(view, &Ratio::default().in_hindsight(), &peel::Terms::default(), peel::Known::default());
    let folds = traces[0].fold(&peels);
    let chains = folds.iter().filter_map(|fold| if let Fold::Chain(chain) = fold { Some(chain) } else { None });
    let longest = chains.max_by_key(|chain| chain.steps.len()).ok_or("loot was peeled")?;
    let name = |output| view.output(output).outpoint().to_string();
    println!("As one step: {}", longest.sentence(name));
    Ok(())
}
