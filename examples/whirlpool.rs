//! A real Whirlpool mix and its Tx0: a coin through both under every choice of what happens at a mix, and what can be said behind it.
//!
//! Nothing says that a theft took place; the coin is followed as if one had. `cargo run --release --example whirlpool`

use std::error::Error;
use std::fs::File;
use std::io::BufReader;

use fundtrace::detect::coinjoin::{self, Rules, premix};
use fundtrace::detect::links::{self, Limits, Ways};
use fundtrace::detect::{Confidence, Finding};
use fundtrace::spec::Rule;
use fundtrace::trace::{How, Mixes, Mode, Options, Reason, Through, Trace, stop};
use fundtrace::{ChainBuilder, View, source};

const CASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/cases/whirlpool-2019/transactions.jsonl");
const TX0: &str = "333f45431e47b9543772013ac83a9b33cc58dc3245ccfd48b972107bb8405c13";
const MIX: &str = "323df21f0b0756f98336437aa3d2fb87e02b59f1946b714a7b09df04d429dec2";
const POOL: u64 = 5_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = ChainBuilder::new();
    for tx in source::read(source::Form::Raw, BufReader::new(File::open(CASE)?)) {
        builder.insert(tx?)?;
    }
    let chain = builder.finish()?;
    let view = chain.view();
    recognised(view)?;

    // The coin that was cut into pieces for the mix: all that the Tx0 spends.
    let tx0 = view.tx_at(&TX0.parse()?).ok_or("the Tx0 is in the case")?;
    let seeds: Vec<_> = tx0.inputs().filter_map(|input| Some(input.prevout()?.seed("coin"))).collect();
    println!("\nFollowed: the coin that the Tx0 spends, 81,804,189 sat, under haircut and FIFO (sat)\n");
    for mode in Mode::ALL {
        let through = Through::new(mode, Mixes::new(Rules::default(), Confidence::from_percent(Mixes::PERCENT)));
        for rule in [Rule::Haircut, Rule::Fifo] {
            let trace = rule.forward_through(view, &seeds, &stop::never(), &through, &Options::default());
            assert!(trace.balance().adds_up());
            show(&trace, mode)?;
        }
    }
    println!(
        "\nWhat can be said: the payer of the Tx0 has its sixteen pieces and the change, and took part in the mix with one of five coins."
    );
    println!(
        "What cannot: which of the five outputs is his. Each is as good as the others, in 1,496 ways; FIFO's answer is the order's."
    );
    println!(
        "What would help: any of the five spent together with another piece, with the change, or with another of the five."
    );
    Ok(())
}

/// What the detectors say of the two transactions.
fn recognised(view: View<'_>) -> Result<(), Box<dyn Error>> {
    let (tx0, mix) = (view.tx_at(&TX0.parse()?), view.tx_at(&MIX.parse()?));
    let (tx0, mix) = (tx0.ok_or("the Tx0 is in the case")?, mix.ok_or("the mix is in the case")?);
    let tell = |what: &str, finding: &Finding| {
        let percent = finding.confidence.to_ppm() / 10_000;
        println!("{what}: {} by rule {}, confidence {percent} %", finding.protocol, finding.rule);
    };
    let finding = premix::find(tx0).ok_or("the Tx0 is recognised")?;
    tell("Tx0", &finding);
    let kept = premix::kept(tx0);
    println!("  the payer's: {} of {} outputs, the change among them", kept.len(), tx0.outputs().len());
    assert_eq!(kept.len(), 17, "sixteen pieces and the change; not the data, not the coordinator's fee");
    let finding = coinjoin::classify(mix).ok_or("the mix is recognised")?;
    tell("Mix", &finding);
    let links = links::of(mix, 0, Limits::default()).ok_or("the mix's values are known")?;
    println!("  ways in which its inputs can have paid its outputs: {:?}", links.ways);
    println!("  links that hold in all of them: {}", links.deterministic().count());
    assert_eq!(links.deterministic().count(), 0);
    assert_eq!(links.ways, Ways::Exact(1_496), "as many as for five equal coins: a surplus for the miner is no mark");
    Ok(())
}

fn show(trace: &Trace<'_>, mode: Mode) -> Result<(), Box<dyn Error>> {
    let mix = trace.view().tx_at(&MIX.parse()?).ok_or("the mix is in the case")?;
    let amount = |output| trace.touch(output).map_or(0, |touch| touch.amount.to_sat());
    let got: Vec<u64> = mix.outputs().map(|output| amount(output.index())).collect();
    let sheet = trace.mix_sheet();
    let name = trace.policy().name;
    println!(
        "{:<7} {name:<8} into the five outputs {got:?}; ends behind the mix {}, clear {}",
        mode.as_str(),
        sheet.behind.to_sat(),
        sheet.clear.to_sat()
    );
    let [crossing] = trace.mixes() else { return Err("the coin comes to one mix".into()) };
    let entered = crossing.entered.to_sat();
    let (even, rest) = (got.iter().max(), got.iter().min());
    match mode {
        Mode::Stop => {
            assert_eq!((crossing.how, sheet.stopped.to_sat()), (How::Stopped, entered));
            assert!(
                trace.ends().iter().any(|end| matches!(end.reason, Reason::Mix(_)) && end.amount == crossing.entered)
            );
            assert_eq!(got, [0; 5]);
        }
        Mode::Flag => assert_eq!((crossing.how, sheet.flagged.to_sat()), (How::Flagged, entered)),
        Mode::Spread => assert_eq!((crossing.how, sheet.spread.to_sat()), (How::Spread, entered)),
        Mode::Links => assert_eq!((crossing.how, sheet.linked.to_sat()), (How::Linked, entered)),
        _ => {}
    }
    if matches!(mode, Mode::Spread | Mode::Links) {
        assert!(even.zip(rest).is_some_and(|(most, least)| most - least <= 1), "each as good as the others: {got:?}");
        assert!(got.iter().all(|got| *got <= POOL / 5 + 2_000), "a fifth of one coin: {got:?}");
    }
    if (mode, name) == (Mode::Flag, "fifo") {
        assert_eq!(got, [5_000_000, 10_000, 0, 0, 0], "the order alone");
    }
    // The pieces and the change of the Tx0 are told to be one payer's, whatever is done at the mix.
    assert_eq!(trace.linked().len(), 1);
    assert_eq!(trace.linked()[0].vouts.len(), 17);
    Ok(())
}
