//! How often the detectors of single transactions are right: on three simulated worlds, and on transactions of the main chain.
//!
//! `cargo run --release --features simulate --example detector_rates`
//!
//! The main chain's transactions need `FUNDTRACE_DATA`, the folder with the reference data; without it the example says that it was skipped.
//! COMPARE.md carries the tables.

#[path = "../tests/it/mainnet.rs"]
mod mainnet;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::Txid;
use fundtrace::chain::Tx;
use fundtrace::detect::coinjoin::{self, Rules};
use fundtrace::detect::{self, Finding, Kind, Verdict};
use fundtrace::eval::{Detection, Label, Ratio};
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::truth::{Kind as True, Role, Truth};
use fundtrace::{Chain, View};

const TXS: u64 = 60_000;
const SEEDS: [u64; 3] = [1, 2, 3];

const MIXES: [&str; 6] = ["whirlpool", "whirlpool_tx0", "wasabi1", "wasabi2", "joinmarket", "equal"];
const SHAPES: [Kind; 6] =
    [Kind::Batch, Kind::Consolidation, Kind::Payjoin, Kind::FanOut, Kind::Dust, Kind::Structuring];

fn main() -> Result<(), Box<dyn Error>> {
    let mut worlds = Set::new("simulated");
    let mut changes: BTreeMap<&str, Changes> = BTreeMap::new();
    for seed in SEEDS {
        let (chain, truth) = World::new(WorldSpec::new(TXS), seed).known(&std::env::temp_dir())?;
        simulated(&mut worlds, chain.view(), &truth);
        change_links(&mut changes, chain.view(), &truth);
    }
    println!(
        "In {} simulated worlds of {TXS} transactions. Precision is of what was said, recall of what there is; what is undecided is not found.",
        SEEDS.len()
    );
    println!("Payjoin and structuring affirm nothing. Nobody structures payments in these worlds.");
    println!();
    let shapes = SHAPES.map(Kind::as_str);
    show(&[worlds], &[&MIXES[..], &shapes].concat());
    println!();
    show_changes(&changes);
    println!();
    let Some(data) = std::env::var_os("FUNDTRACE_DATA") else {
        println!("skipped: FUNDTRACE_DATA is not set, so there are no transactions of the main chain");
        return Ok(());
    };
    let folder = PathBuf::from(data);
    println!(
        "On the main chain. JoinMarket and equal outputs are suspicions; every transaction of the blocks is taken for ordinary, for they have no labels."
    );
    let known = Known::of(&folder);
    let unlabelled: u64 = known.of_the_form.values().sum();
    println!(
        "{unlabelled} neighbours of labelled mixes have a mix's form and no label of their own. They are no part of the figures, for only the rules measured say what they are:"
    );
    println!();
    println!("| unlabelled, of the form | transactions |");
    println!("|---|---|");
    known.of_the_form.iter().for_each(|(class, count)| println!("| {class} | {count} |"));
    println!();
    let sets = [
        known.labelled(&folder),
        known.heuristic(&folder),
        known.ordinary("blocks", mainnet::single_blocks(&folder)),
        known.ordinary("blocks with prevouts", mainnet::with_prevouts(&folder)),
    ];
    let [rounds, others] = mainnet::listed(&folder);
    let seen = |list: &BTreeSet<Txid>| sets.iter().map(|set| set.txids.intersection(list).count()).sum::<usize>();
    println!(
        "The lists of txids name {} rounds of Wasabi 1 and {} that are none, without inputs and outputs; {} and {} of them are among these transactions,",
        rounds.len(),
        others.len(),
        seen(&rounds),
        seen(&others)
    );
    println!("and of the others no form can be asked.");
    println!();
    show(&sets, &MIXES);
    Ok(())
}

/// What is wrong with what was said of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Missed,
    Undecided,
    Wrong,
}

/// What was said of the transactions of one origin, and every fault with its reason and the first transaction that has it.
struct Set {
    name: &'static str,
    txids: BTreeSet<Txid>,
    score: Detection<&'static str>,
    /// Transactions not of the class of which the class's rule could not tell.
    open: BTreeMap<&'static str, u64>,
    faults: BTreeMap<(&'static str, Fault, String), (u64, Txid)>,
    /// Transactions that the form of a Stonewall vetoes, and those of them that are mixes.
    vetoed: u64,
    vetoed_mixes: u64,
}

impl Set {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            txids: BTreeSet::new(),
            score: Detection::default(),
            open: BTreeMap::new(),
            faults: BTreeMap::new(),
            vetoed: 0,
            vetoed_mixes: 0,
        }
    }

    /// Counts a transaction: what it is, what a rule found, why a fault is one.
    fn add(
        &mut self,
        tx: Tx<'_>,
        truth: Label<&'static str>,
        found: Option<(&'static str, Verdict)>,
        why: impl Fn(&'static str, Fault) -> String,
    ) {
        let said = match found {
            Some((_, Verdict::Undecided)) => Label::Unknown,
            Some((class, _)) => Label::Of(class),
            None => Label::Nothing,
        };
        self.score.add(truth, said);
        let mut faults = Vec::new();
        match (truth, found) {
            (Label::Of(class), Some((_, Verdict::Undecided))) => faults.push((class, Fault::Undecided)),
            (Label::Of(class), _) if said != truth => faults.push((class, Fault::Missed)),
            (Label::Nothing, Some((class, Verdict::Undecided))) => *self.open.entry(class).or_default() += 1,
            _ => {}
        }
        if let Label::Of(class) = said
            && said != truth
            && truth != Label::Unknown
        {
            faults.push((class, Fault::Wrong));
        }
        for (class, fault) in faults {
            self.faults.entry((class, fault, why(class, fault))).or_insert((0, tx.txid())).0 += 1;
        }
    }

    /// Counts what the form of a Stonewall vetoes. Which transactions are Stonewalls nobody has labelled, so there is no rate.
    fn veto(&mut self, tx: Tx<'_>, rules: &Rules, is_mix: bool) {
        let vetoed = rules.classify(tx).is_some_and(|finding| finding.protocol == "stonewall");
        self.vetoed += u64::from(vetoed);
        self.vetoed_mixes += u64::from(vetoed && is_mix);
    }
}

/// Prints the rows, and below them each fault.
fn show(sets: &[Set], classes: &[&'static str]) {
    println!(
        "| data | class | there are | right | missed | undecided | wrong | others undecided | precision | recall |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (set, class) in sets.iter().flat_map(|set| classes.iter().map(move |class| (set, *class))) {
        let score = set.score.class(&class);
        let open = set.open.get(class).copied().unwrap_or(0);
        let there = score.right + score.missed + score.undecided;
        // In blocks, that nothing is said is the answer.
        if there + score.wrong + open == 0 && !set.name.starts_with("blocks") {
            continue;
        }
        print!("| {} | {class} | {there} | {} | {} |", set.name, score.right, score.missed);
        let recall = score.recall();
        println!(" {} | {} | {open} | {} | {recall} |", score.undecided, score.wrong, score.precision());
    }
    println!();
    println!("| data | class | fault | count | why | the first |");
    println!("|---|---|---|---|---|---|");
    for set in sets {
        for ((class, fault, why), (count, txid)) in &set.faults {
            let fault = match fault {
                Fault::Missed => "missed",
                Fault::Undecided => "undecided",
                Fault::Wrong => "wrong",
            };
            let txid = txid.to_string();
            println!("| {} | {class} | {fault} | {count} | {why} | {}.. |", set.name, &txid[..12]);
        }
    }
    println!();
    println!("What the form of a Stonewall vetoes; nobody has labelled any, so there is no precision and no recall:");
    println!();
    println!("| data | vetoed | of them labelled mixes |");
    println!("|---|---|---|");
    for set in sets {
        let mixes = if set.name.starts_with("blocks") { "n/a".to_owned() } else { set.vetoed_mixes.to_string() };
        println!("| {} | {} | {mixes} |", set.name, set.vetoed);
    }
}

/// Scores the detectors on a simulated world.
fn simulated(set: &mut Set, view: View<'_>, truth: &Truth) {
    let rules = Rules::default();
    let options = detect::Options::default();
    for tx in view.txs() {
        let Some(kind) = truth.kind(tx.index()) else { continue };
        let why = |class, fault| match fault {
            Fault::Wrong => format!("is `{kind}`"),
            Fault::Missed => format!("is `{kind}`: {}", why_not(class, tx)),
            Fault::Undecided => why_undecided(class, tx),
        };
        let label = match kind {
            True::Whirlpool => Label::Of("whirlpool"),
            True::Tx0 => Label::Of("whirlpool_tx0"),
            True::Wasabi1 => Label::Of("wasabi1"),
            True::Wasabi2 => Label::Of("wasabi2"),
            True::Joinmarket => Label::Of("joinmarket"),
            _ => Label::Nothing,
        };
        let found = mainnet::found(&rules, tx);
        set.add(tx, label, found.as_ref().map(of), why);
        set.veto(tx, &rules, label != Label::Nothing && kind != True::Tx0);
        let found = detect::all(tx, &options);
        for shape in SHAPES {
            let label = if is_shape(shape, kind, tx, truth) { Label::Of(shape.as_str()) } else { Label::Nothing };
            let found = found.iter().find(|finding| finding.kind == shape);
            set.add(tx, label, found.map(|finding| (shape.as_str(), finding.verdict)), why);
        }
    }
}

/// The class that a finding puts a transaction into, and whether it does.
fn of(finding: &Finding) -> (&'static str, Verdict) {
    (mainnet::class(finding), finding.verdict)
}

/// Whether a simulated transaction is of a detector's kind: by its kind in the truth, and by whom it pays.
fn is_shape(shape: Kind, kind: True, tx: Tx<'_>, truth: &Truth) -> bool {
    match (shape, kind) {
        // Whoever pays at least three outputs to others.
        (Kind::Batch, True::Batch | True::Withdrawal | True::Payout | True::MixerPayout) => {
            let payers = truth.participants(tx);
            let owners = tx.outputs().filter_map(|output| truth.owner(output.index()));
            owners.filter(|owner| !payers.contains(owner)).count() >= 3
        }
        (Kind::Consolidation, True::Consolidation | True::Sweep) => tx.inputs().len() > 1,
        (Kind::Payjoin, True::Payjoin) | (Kind::FanOut, True::FanOut) | (Kind::Dust, True::Dust) => true,
        _ => false,
    }
}

/// Which condition of a class's rule a transaction fails first.
fn why_not(class: &str, tx: Tx<'_>) -> String {
    let (inputs, outputs) = (tx.inputs().len(), tx.outputs().len());
    let paid: Vec<u64> = tx.outputs().filter_map(|output| output.value()).map(|value| value.to_sat()).collect();
    let addresses: BTreeSet<_> = tx.outputs().filter_map(|output| output.address_index()).collect();
    let payers: BTreeSet<_> = tx.inputs().filter_map(|input| input.address_index()).collect();
    let dust = paid.iter().filter(|sat| (1..=1_000).contains(*sat)).count();
    let forms: BTreeSet<_> = tx.inputs().map(|input| input.script_type()).collect();
    let conditions: &[(bool, &str)] = match class {
        "joinmarket" => return why_not_joinmarket(tx),
        "batch" => &[
            (addresses.len() < 10, "fewer than ten payees"),
            (inputs * 2 > outputs, "fewer than two payees for each input"),
            (outputs >= 10, "most outputs are equal"),
        ],
        "consolidation" => &[(inputs < 10, "fewer than ten inputs"), (outputs > 2, "more than two outputs")],
        "payjoin" => &[
            (outputs != 2, "not two outputs"),
            (inputs > 5, "more than five inputs"),
            (forms.len() > 1, "inputs of several forms"),
            (payers.len() < 2, "one address pays"),
            (payers.intersection(&addresses).next().is_some(), "pays back to an input's address"),
            (true, "every input was needed for the larger output"),
        ],
        "fan_out" => &[
            (outputs < 5, "fewer than five parts"),
            (inputs > 2, "more than two inputs"),
            (true, "no round amount that all parts but one are within 2 % of"),
        ],
        "dust" => &[(dust < 5, "fewer than five outputs of dust"), (outputs > dust + 2, "more than two other outputs")],
        _ => &[],
    };
    let failed = conditions.iter().find(|(fails, _)| *fails);
    failed.map_or("not the form".to_owned(), |(_, why)| (*why).to_owned())
}

/// As [`why_not`], of JoinMarket's form.
fn why_not_joinmarket(tx: Tx<'_>) -> String {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for sat in tx.outputs().filter_map(|output| output.value()) {
        *counts.entry(sat.to_sat()).or_default() += 1;
    }
    let repeated: Vec<(u64, usize)> =
        counts.iter().filter(|(_, count)| **count > 1).map(|(sat, count)| (*sat, *count)).collect();
    let [(common, count)] = repeated[..] else {
        return if repeated.is_empty() { "no two outputs are equal" } else { "several amounts are repeated" }
            .to_owned();
    };
    let changes = tx.outputs().len() - count;
    let payees: BTreeSet<_> = tx.outputs().filter_map(|output| output.address_index()).collect();
    let payers: BTreeSet<_> = tx.inputs().filter_map(|input| input.address_index()).collect();
    let conditions = [
        (count < 3, "two equal outputs, as a payment may have"),
        (common <= 2_730, "equal outputs of dust"),
        (changes != count && changes + 1 != count, "not one other output for each equal one"),
        (payers.len() < count, "fewer payers than equal outputs"),
        (payees.len() < tx.outputs().len(), "an address is paid twice, or data are written"),
    ];
    let failed = conditions.iter().find(|(fails, _)| *fails);
    failed.map_or("the inputs cannot be dealt out", |(_, why)| why).to_owned()
}

fn why_undecided(class: &str, tx: Tx<'_>) -> String {
    if ["payjoin", "structuring"].contains(&class) {
        return "the rule affirms nothing".to_owned();
    }
    let unknown = tx.inputs().any(|input| input.value().is_none());
    if unknown { "what an input spends is unknown" } else { "the budget ended" }.to_owned()
}

/// Of the changes in simulated mixes, how many are said to be whose, and how often that is right.
#[derive(Default)]
struct Changes {
    mixes: u64,
    silent_mixes: u64,
    changes: u64,
    named: u64,
    right: u64,
    wrong: u64,
}

fn change_links(scores: &mut BTreeMap<&'static str, Changes>, view: View<'_>, truth: &Truth) {
    for tx in view.txs() {
        let protocol = match truth.kind(tx.index()) {
            Some(True::Wasabi1) => "wasabi1",
            Some(True::Joinmarket) => "joinmarket",
            _ => continue,
        };
        let score = scores.entry(protocol).or_default();
        let found = coinjoin::classify(tx).filter(Finding::is_yes);
        let links = found.map(|finding| coinjoin::change::find(tx, &finding)).unwrap_or_default();
        score.mixes += 1;
        score.silent_mixes += u64::from(links.is_empty());
        let named: BTreeSet<u32> = links.iter().map(|link| link.vout).collect();
        for output in tx.outputs().filter(|output| truth.role(output.index()) == Some(Role::Change)) {
            score.changes += 1;
            score.named += u64::from(named.contains(&output.vout()));
        }
        let holders: Vec<_> = tx.inputs().map(|input| truth.holder(input.prevout()?.index())).collect();
        let owners: Vec<_> = tx.outputs().map(|output| truth.owner(output.index())).collect();
        let at = |index: u32| usize::try_from(index).expect("an output's number fits");
        for link in &links {
            let owner = owners[at(link.vout)];
            let is_right = owner.is_some() && link.vins.iter().all(|vin| holders[at(*vin)] == owner);
            *(if is_right { &mut score.right } else { &mut score.wrong }) += 1;
        }
    }
}

fn show_changes(scores: &BTreeMap<&'static str, Changes>) {
    println!(
        "Whose the changes of a mix are (`{}`), right where every input named is the change's owner's:",
        coinjoin::change::RULE
    );
    println!();
    println!(
        "| class | mixes | with no answer | changes | named | without an answer | links right | wrong | precision | share named |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (class, score) in scores {
        let silent = score.changes - score.named;
        print!(
            "| {class} | {} | {} | {} | {} | {silent} |",
            score.mixes, score.silent_mixes, score.changes, score.named
        );
        let precision = Ratio::new(score.right, score.right + score.wrong);
        println!(" {} | {} | {precision} | {} |", score.right, score.wrong, Ratio::new(score.named, score.changes));
    }
}

/// The transactions that the data name as mixes and premixes.
struct Known {
    classes: BTreeMap<Txid, &'static str>,
    /// Neighbours of mixes that have no label and a mix's form.
    of_the_form: BTreeMap<&'static str, u64>,
}

impl Known {
    fn of(folder: &Path) -> Self {
        let (mut classes, mut of_the_form) = (BTreeMap::new(), BTreeMap::new());
        for (file, truth) in mainnet::labelled() {
            let chain = mainnet::freeze(mainnet::records(folder, file));
            for tx in chain.view().txs() {
                match (mainnet::of_the_form(file, tx), truth) {
                    (Some(class), _) => *of_the_form.entry(class).or_default() += 1,
                    (None, Label::Of(class)) => drop(classes.insert(tx.txid(), class)),
                    _ => {}
                }
            }
        }
        Self { classes, of_the_form }
    }

    /// What the transaction spends of what is known, and what of its outputs is equal.
    fn why(&self, tx: Tx<'_>, finding: &Finding) -> String {
        let spent = tx.inputs().filter_map(|input| input.prevout());
        let parents = spent.filter_map(|output| self.classes.get(&output.tx().txid()).copied());
        let parents: BTreeSet<&str> = parents.collect();
        let spends = match parents.into_iter().collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => "spends nothing that is labelled".to_owned(),
            some => format!("spends labelled {some}"),
        };
        let of = match finding.participants_estimated() {
            Some(2) => "two equal outputs",
            Some(3..=5) => "three to five equal outputs",
            Some(6..=9) => "six to nine equal outputs",
            Some(_) => "ten equal outputs or more",
            None if self.classes.contains_key(&tx.txid()) => "elsewhere labelled as one",
            None if finding.features.contains_key("coordinator_fee_sat") => {
                "a Tx0's data, premix and coordinator's fee"
            }
            None => "a Tx0's data and premix",
        };
        format!("{of}; {spends}")
    }

    fn add(&self, set: &mut Set, tx: Tx<'_>, truth: Label<&'static str>) {
        let rules = Rules::default();
        let found = mainnet::found(&rules, tx);
        let why = |class, fault| match (fault, &found) {
            (Fault::Wrong, Some(finding)) => self.why(tx, finding),
            (Fault::Wrong, None) => format!("labelled as a mix: {}", why_not_joinmarket(tx)),
            (Fault::Missed, Some(finding)) => format!("said to be {}", finding.protocol),
            (Fault::Missed, None) => why_not(class, tx),
            (Fault::Undecided, _) => why_undecided(class, tx),
        };
        set.txids.insert(tx.txid());
        if truth == Label::Unknown {
            return;
        }
        set.add(tx, truth, found.as_ref().map(of), why);
        set.veto(tx, &rules, !matches!(truth, Label::Nothing | Label::Of("whirlpool_tx0")));
    }

    /// Mixes, look-alikes and what spends mixes, by the labels.
    fn labelled(&self, folder: &Path) -> Set {
        let mut set = Set::new("labelled");
        for (file, truth) in mainnet::labelled() {
            let chain = mainnet::freeze(mainnet::records(folder, file));
            chain.view().txs().for_each(|tx| self.add(&mut set, tx, mainnet::label(file, tx, truth)));
        }
        set
    }

    /// What heuristics call JoinMarket or the like.
    fn heuristic(&self, folder: &Path) -> Set {
        let mut set = Set::new("heuristic labels");
        let chain = mainnet::freeze(mainnet::records(folder, mainnet::OTHER));
        chain.view().txs().for_each(|tx| self.add(&mut set, tx, Label::Of("joinmarket")));
        set
    }

    /// Blocks without labels, all of them taken for ordinary.
    fn ordinary(&self, name: &'static str, blocks: BTreeMap<String, Chain>) -> Set {
        let mut set = Set::new(name);
        for chain in blocks.values() {
            chain.view().txs().for_each(|tx| self.add(&mut set, tx, Label::Nothing));
        }
        set
    }
}
