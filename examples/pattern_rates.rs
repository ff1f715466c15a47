//! How often peel chains and payouts of custodial mixers are told right, on three simulated worlds: the tables that COMPARE.md carries.
//!
//! `cargo run --release --features simulate --example pattern_rates`

use std::error::Error;

use fundtrace::change::{AddressType, Change, Context, Fresh, Hindsight, PowerOfTen, Rule};
use fundtrace::eval::{self, PayoutScore, PeelScore};
use fundtrace::service::custodial_mixer;
use fundtrace::service::peel::{Known, Peels, Ratio, Terms};
use fundtrace::simulate::{World, WorldSpec};

const TXS: u64 = 60_000;
const SEEDS: [u64; 3] = [1, 2, 3];

/// Who may pay out, whether the mixer's coins are known, and in how many outputs.
const PAYERS: [(&str, bool, u32); 4] = [
    ("anybody", false, 1),
    ("anybody", false, 2),
    ("the mixer, if its coins are known", true, 1),
    ("the mixer, if its coins are known", true, 3),
];

fn main() -> Result<(), Box<dyn Error>> {
    let rules: [(&str, Box<dyn Hindsight>, Terms); 7] = [
        ("ratio", ratio(), Terms::default()),
        ("ratio, no fingerprint", ratio(), Terms::default().mask(0)),
        ("ratio, ten steps", ratio(), Terms::default().steps_min(10)),
        ("fresh and ratio", Box::new(Fresh.and(Ratio::default()).in_hindsight()), Terms::default()),
        ("address type and ratio", Box::new(AddressType.and(Ratio::default()).in_hindsight()), Terms::default()),
        (
            "power of ten and ratio",
            Box::new(PowerOfTen::default().and(Ratio::default()).in_hindsight()),
            Terms::default(),
        ),
        ("peeling", Rule::Peeling.hindsight(&Context::default()).ok_or("peeling needs nothing")?, Terms::default()),
    ];
    let mut peels = vec![PeelScore::default(); rules.len()];
    let mut payouts = [PayoutScore::default(); PAYERS.len()];
    for seed in SEEDS {
        let (chain, truth) = World::new(WorldSpec::new(TXS), seed).known(&std::env::temp_dir())?;
        let view = chain.view();
        for ((_, rule, terms), score) in rules.iter().zip(&mut peels) {
            let found = Peels::of(view, rule, terms, Known::default());
            score.merge(&eval::peel_chains(&truth, &found));
        }
        for (score, (_, is_known, parts)) in payouts.iter_mut().zip(PAYERS) {
            let terms = custodial_mixer::Terms::default().parts(parts);
            score.merge(&eval::payouts(view, &truth, &terms, is_known));
        }
    }
    println!(
        "In {} simulated worlds of {TXS} transactions, peel chains by the rule for what goes on (`peel/1`, three steps or more unless it",
        SEEDS.len()
    );
    println!(
        "says otherwise). A step is right when it is one of a thief's chain; continuity is the share of outputs that go on and belong to the owner"
    );
    println!("of the coin before:");
    println!();
    println!(
        "| rule | chains | like withdrawals | a thief's | like withdrawals | steps right | wrong | missed | precision | recall | continuity |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for ((name, ..), score) in rules.iter().zip(&peels) {
        let steps = score.steps;
        print!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            score.chains.0,
            score.chains.1,
            score.true_chains.0,
            score.true_chains.1,
            steps.right,
            steps.wrong,
            steps.missed
        );
        println!(" {} | {} | {} |", steps.precision(), steps.recall(), score.continuity());
    }
    println!();
    println!("What the wrong steps of the first rule are, most frequent first:");
    println!();
    let mut wrong: Vec<_> = peels[0].wrong.iter().collect();
    wrong.sort_by_key(|(kind, count)| (std::cmp::Reverse(**count), **kind));
    println!("| kind | steps |");
    println!("|---|---|");
    for (kind, count) in wrong {
        println!("| {kind} | {count} |");
    }
    println!();
    println!(
        "Payouts for deposits at custodial mixers (`payout/2`: 0.5 to 4 % less, within 432 blocks, in so many outputs of a tenth or more). An answer is an"
    );
    println!(
        "output or a set of outputs; what is not found was paid in more, later, or less a greater fee. A decoy is an output from as long before the deposit"
    );
    println!("that is worth as much within a quarter, and is asked the same of its own window:");
    println!();
    println!(
        "| who may pay | outputs | deposits | paid so | among the answers | it alone | recall | answers each | undecided | not paid out yet | answers for them | decoys that find any | answers for a decoy |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for ((name, _, parts), score) in PAYERS.iter().zip(&payouts) {
        print!("| {name} | {parts} | {} | {} | {} | {} |", score.deposits, score.whole, score.found, score.alone);
        print!(" {} | {} | {} |", score.recall(), score.candidates_each(), score.undecided);
        print!(" {} | {} |", score.unpaid, score.unpaid_answers);
        println!(" {} | {} |", score.decoy_rate(), score.decoy_candidates_each());
    }
    Ok(())
}

fn ratio() -> Box<dyn Hindsight> {
    Box::new(Ratio::default().in_hindsight())
}
