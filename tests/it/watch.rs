//! A run continued block by block is the run in one piece, also across reorganisations, a save and a load.

use std::collections::HashSet;

use fundtrace::bitcoin::hashes::{Hash, sha256};
use fundtrace::bitcoin::{self, Amount, Network, Transaction, TxMerkleNode, block::Header};
use fundtrace::chain::{NewTx, Writer};
use fundtrace::simulate::{Mined, World, WorldSpec};
use fundtrace::spec::Rule;
use fundtrace::trace::{self, CoinbaseOrder, Event, Fees, Options, Reach, Reason, Seed, Watch, stop};
use fundtrace::{BlockHeight, Chain, View};
use serde_json::Value;

/// The first blocks of a world; after them, blocks with every second of the transactions that they can have, under headers of their own.
fn store(blocks: &[Mined], whole: usize, forked: usize) -> Chain {
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    let mut there = HashSet::new();
    for block in &blocks[..whole] {
        there.extend(block.block().txdata.iter().map(Transaction::compute_txid));
        writer.block(block.height(), block.block().header, block.records()).unwrap();
    }
    let mut below = blocks[whole - 1].block().block_hash();
    for block in &blocks[whole..whole + forked] {
        let mut txs = Vec::new();
        for (at, tx) in block.block().txdata.iter().enumerate() {
            let mut tx = tx.clone();
            if at == 0 {
                // It claims less than it could.
                tx.output.truncate(1);
                tx.output[0].value = Amount::from_sat(1_000_000_000);
            } else if at % 2 == 0 || !tx.input.iter().all(|input| there.contains(&input.previous_output.txid)) {
                continue;
            }
            there.insert(tx.compute_txid());
            txs.push(tx);
        }
        let merkle_root = bitcoin::merkle_tree::calculate_root(txs.iter().map(|tx| tx.compute_txid().to_raw_hash()));
        let header = Header {
            prev_blockhash: below,
            merkle_root: TxMerkleNode::from_raw_hash(merkle_root.unwrap()),
            ..block.block().header
        };
        writer.block(block.height(), header, txs.iter().map(NewTx::from_transaction)).unwrap();
        below = header.block_hash();
    }
    let mut store = Vec::new();
    writer.finish().unwrap().write_to(&mut store).unwrap();
    Chain::from_bytes(store).unwrap()
}

/// The blocks up to a height, and nothing of what came later.
fn up_to(blocks: &[Mined], height: BlockHeight) -> Chain {
    store(blocks, blocks.iter().filter(|block| block.height() <= height).count(), 0)
}

/// Some early outputs, under three labels.
fn seeds(view: View<'_>) -> Vec<Seed> {
    let spends = view.txs().filter(|tx| !tx.is_coinbase()).step_by(40).take(12);
    spends.enumerate().map(|(at, tx)| tx.outputs().next().unwrap().seed(format!("source {}", at % 3))).collect()
}

/// The same seed in another chain.
fn in_chain(seed: &Seed, view: View<'_>, chain: &Chain) -> Seed {
    let outpoint = view.output(seed.output).outpoint();
    chain.view().output_at(outpoint).unwrap().seed(seed.label.clone())
}

fn facts(reach: &Reach<'_>) -> String {
    let ends: Vec<_> = reach
        .ends()
        .map(|end| {
            (
                reach.view().output(end.output).outpoint(),
                end.hops,
                end.amount,
                end.reason,
                end.by_source.iter().collect::<Vec<_>>(),
            )
        })
        .collect();
    format!("{ends:?} {:?} {:?} {}", reach.balance(), reach.balances(), reach.transactions())
}

fn saved(watch: &Watch) -> Vec<u8> {
    let mut bytes = Vec::new();
    watch.write_to(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_run_in_steps_is_the_run_in_one_piece() {
    let blocks: Vec<Mined> = World::new(WorldSpec::new(3_000), 5).collect();
    let chain = store(&blocks, blocks.len(), 0);
    let tip = chain.view().tip().unwrap().to_u32();
    // The fork leaves the chain in the middle; what it has seen there is wound back.
    let middle = blocks.len() / 2;
    let fork = store(&blocks, middle, 5);
    let shorter = store(&blocks, blocks.len() * 7 / 10, 0);
    let shortest = store(&blocks, middle - 1, 0);
    let to_miner = Options::default().fees(Fees::Coinbase);
    for options in [Options::default(), to_miner, to_miner.coinbase_order(CoinbaseOrder::FeesFirst)] {
        for rule in Rule::ALL {
            let stop = stop::hops(40);
            let first = chain.as_of(BlockHeight::from_u32(tip / 3));
            let seeds = seeds(shortest.view());
            let seeds: Vec<Seed> = seeds.iter().map(|seed| in_chain(seed, shortest.view(), &chain)).collect();
            let (mut watch, reach) = Watch::start(first, &seeds, rule, &stop, &options).unwrap();
            assert_eq!(facts(&reach), facts(&trace::reach(first, &seeds, rule, &stop, &options)));
            let steps = [
                (&fork, None),
                (&chain, Some(tip * 3 / 5)),
                (&chain, Some(tip * 4 / 5)),
                (&chain, None),
                (&shorter, None),
                (&fork, None),
                (&shortest, None),
                (&chain, Some(tip)),
            ];
            for (chain, height) in steps {
                let view = height.map_or(chain.view(), |height| chain.as_of(BlockHeight::from_u32(height)));
                watch = Watch::read(saved(&watch).as_slice()).unwrap();
                let progress = watch.advance(view, &stop).unwrap();
                let here: Vec<Seed> = seeds.iter().map(|seed| in_chain(seed, first, chain)).collect();
                assert_eq!(facts(&progress.reach), facts(&trace::reach(view, &here, rule, &stop, &options)), "{rule}");
                assert_eq!(watch.tip().map(|(height, _)| height), view.tip());
            }
        }
    }
}

#[test]
fn alerts_say_what_moved_arrived_and_was_undone() {
    let blocks: Vec<Mined> = World::new(WorldSpec::new(3_000), 5).collect();
    let chain = store(&blocks, blocks.len(), 0);
    let view = chain.view();
    // An output that is spent some blocks after it was made.
    let apart = |output: &fundtrace::chain::Output<'_>| {
        let made = output.tx().height()?;
        output.spender()?.height().filter(|spent| spent.to_u32() > made.to_u32() + 3)
    };
    let coins = || view.txs().filter(|tx| !tx.is_coinbase()).flat_map(|tx| tx.outputs());
    let coin = coins().find(|output| apart(output).is_some()).unwrap();
    let spender = coin.spender().unwrap();
    let before = chain.as_of(BlockHeight::from_u32(apart(&coin).unwrap().to_u32() - 1));
    let after = chain.as_of(apart(&coin).unwrap());
    let (mut watch, reach) =
        Watch::start(before, &[coin.seed("coin")], Rule::Fifo, &stop::never(), &Options::default()).unwrap();
    assert_eq!(reach.ends().count(), 1);
    let progress = watch.advance(after, &stop::never()).unwrap();
    assert_eq!(progress.resumed_from, before.tip());
    assert_eq!(progress.alerts[0].event, Event::Moved(spender.txid()));
    assert_eq!((progress.alerts[0].outpoint, Some(progress.alerts[0].amount)), (coin.outpoint(), coin.value()));
    assert!(progress.alerts.len() > 1);
    assert!(progress.alerts[1..].iter().all(|alert| alert.event == Event::Arrived(Reason::Unspent)));
    let arrived: Vec<_> = progress.alerts[1..].iter().map(|alert| alert.outpoint).collect();
    // An earlier view of the same chain is no reorganisation.
    let stood = watch.clone();
    assert!(watch.advance(before, &stop::never()).unwrap_err().is_spec());
    assert!(watch == stood);
    // The block is gone again.
    let chain = up_to(&blocks, before.tip().unwrap());
    let (seed, before) = (in_chain(&coin.seed("coin"), view, &chain), chain.view());
    let progress = watch.advance(before, &stop::never()).unwrap();
    let (undone, rest): (Vec<_>, Vec<_>) = progress.alerts.iter().partition(|alert| alert.event == Event::Undone);
    let mut undone: Vec<_> = undone.iter().map(|alert| alert.outpoint).collect();
    undone.retain(|outpoint| arrived.contains(outpoint));
    assert_eq!(undone.len(), arrived.len());
    assert_eq!(rest.len(), 1);
    assert_eq!((rest[0].outpoint, &rest[0].event), (coin.outpoint(), &Event::Arrived(Reason::Unspent)));
    assert_eq!(
        facts(&progress.reach),
        facts(&trace::reach(before, &[seed], Rule::Fifo, &stop::never(), &Options::default()))
    );
}

/// An output at which a stop ended the trace, and which is spent, is undone like any other.
#[test]
fn what_a_stop_ended_is_undone_too() {
    let blocks: Vec<Mined> = World::new(WorldSpec::new(3_000), 5).collect();
    let chain = store(&blocks, blocks.len(), 0);
    let view = chain.view();
    let apart = |output: &fundtrace::chain::Output<'_>| {
        let spender = output.spender().filter(|spender| spender.outputs().any(|output| output.spender().is_some()))?;
        spender.height().filter(|spent| output.tx().height().is_some_and(|made| made.to_u32() + 3 < spent.to_u32()))
    };
    let mut coins = view.txs().filter(|tx| !tx.is_coinbase()).flat_map(|tx| tx.outputs());
    let coin = coins.find(|output| apart(output).is_some()).unwrap();
    let ended = coin.spender().unwrap().outputs().find(|output| output.spender().is_some()).unwrap();
    let before = up_to(&blocks, BlockHeight::from_u32(apart(&coin).unwrap().to_u32() - 1));
    for rule in [Rule::Poison, Rule::Haircut] {
        let (stop, options) = (stop::hops(1), Options::default());
        let (mut watch, reach) = Watch::start(view, &[coin.seed("coin")], rule, &stop, &options).unwrap();
        assert!(reach.ends().any(|end| end.output == ended.index() && *end.reason == Reason::Hops));
        let progress = watch.advance(before.view(), &stop).unwrap();
        let undone = |alert: &&trace::Alert| alert.outpoint == ended.outpoint() && alert.event == Event::Undone;
        assert_eq!(progress.alerts.iter().filter(undone).count(), 1, "{rule}");
    }
}

#[test]
fn seeds_may_be_named_in_any_order_and_more_of_them_later() {
    let blocks: Vec<Mined> = World::new(WorldSpec::new(2_000), 5).collect();
    let chain = store(&blocks, blocks.len(), 0);
    let view = chain.view();
    let tip = view.tip().unwrap().to_u32();
    let half = BlockHeight::from_u32(tip / 2);
    let middle = chain.as_of(half);
    let mut named = seeds(view);
    named.retain(|seed| view.output(seed.output).tx().height() <= Some(half));
    let above = view.txs().filter(|tx| !tx.is_coinbase() && tx.height() > Some(half));
    let label = |at| if at == 1 { "a new source" } else { "source 1" };
    let above = above.step_by(30).take(5).enumerate();
    let above: Vec<Seed> = above.map(|(at, tx)| tx.outputs().next().unwrap().seed(label(at))).collect();
    let all = [&named[..], &above].concat();
    let mut reversed = all.clone();
    reversed.reverse();
    let stop = stop::never();
    for rule in Rule::ALL {
        let (begun, _) = Watch::start(middle, &named, rule, &stop, &Options::default()).unwrap();
        let mut watch = begun.clone();
        watch.update_seeds(view, &named.iter().rev().cloned().collect::<Vec<_>>()).unwrap();
        assert!(watch == begun);
        // The order of new labels is that in which they are named.
        watch.update_seeds(view, &all).unwrap();
        watch.update_seeds(view, &reversed).unwrap();
        watch = Watch::read(saved(&watch).as_slice()).unwrap();
        let progress = watch.advance(view, &stop).unwrap();
        assert_eq!(progress.resumed_from, Some(half));
        assert_eq!(
            facts(&progress.reach),
            facts(&trace::reach(view, &all, rule, &stop, &Options::default())),
            "{rule}"
        );
        let refused = |seeds: &[Seed], what: &str| {
            let mut watch = begun.clone();
            let error = watch.update_seeds(view, seeds).unwrap_err();
            assert!(error.is_spec() && error.to_string().contains(what), "{error}");
            assert!(watch == begun);
        };
        refused(&named[1..], "left out");
        let other = Seed::new(named[0].output, "another name");
        refused(&[&[other], &named[1..]].concat(), "was");
        let below = view.txs().find(|tx| tx.is_coinbase()).unwrap().outputs().next().unwrap();
        refused(&[&named[..], &[below.seed("source 1")]].concat(), "not above block");
    }
}

/// A rule of the caller's may name any reason; a save and a load keep it.
#[test]
fn every_reason_outlives_a_save() {
    let blocks: Vec<Mined> = World::new(WorldSpec::new(2_000), 5).collect();
    let chain = store(&blocks, blocks.len(), 0);
    let (view, seeds) = (chain.view(), seeds(chain.view()));
    let reasons = [Reason::Unspent, Reason::UnknownSpender, Reason::UnknownPrevout];
    let stop = stop::when("a reason by hops", |at| {
        at.spender.and_then(|_| reasons.get(usize::try_from(at.hops).unwrap().checked_sub(1)?).cloned())
    });
    let stop = stop::when("the seeds go on", move |at| {
        stop::Stop::check(&stop, at).filter(|_| at.output.index().to_u64() % 3 > 0)
    });
    let whole = trace::reach(view, &seeds, Rule::Fifo, &stop, &Options::default());
    for reason in &reasons[..2] {
        assert!(
            whole.ends().any(|end| end.reason == reason && view.output(end.output).spender().is_some()),
            "{reason}"
        );
    }
    let (watch, _) = Watch::start(view, &seeds, Rule::Fifo, &stop, &Options::default()).unwrap();
    let progress = Watch::read(saved(&watch).as_slice()).unwrap().advance(view, &stop).unwrap().reach;
    assert_eq!(facts(&progress), facts(&whole));
    let old = saved(&watch);
    let old = [b"fundtrace watch 1", old.strip_prefix(b"fundtrace watch 2").unwrap()].concat();
    assert!(Watch::read(old.as_slice()).unwrap_err().to_string().contains("reads version 2"));
}

#[test]
fn a_damaged_file_is_refused() {
    let blocks: Vec<Mined> = World::new(WorldSpec::new(500), 5).collect();
    let chain = store(&blocks, blocks.len(), 0);
    let seeds = seeds(chain.view());
    let (mut watch, _) = Watch::start(chain.view(), &seeds, Rule::Lifo, &stop::never(), &Options::default()).unwrap();
    let bytes = saved(&watch);
    assert!(Watch::read(bytes.as_slice()).unwrap() == watch);
    for at in (0..bytes.len()).step_by(97).chain([0, 16, 17, 80, 81, 82, bytes.len() - 1]) {
        let mut broken = bytes.clone();
        broken[at] ^= 1;
        assert!(Watch::read(broken.as_slice()).unwrap_err().is_spec(), "byte {at}");
        assert!(Watch::read(&bytes[..at]).unwrap_err().is_spec(), "cut at {at}");
    }
    assert!(watch.advance(chain.view(), &stop::hops(2)).unwrap_err().is_spec());
}

/// Takes everything and fails when it is told to pass it on, as a buffer before a full disk does.
struct Full;

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn a_full_disk_is_told() {
    let blocks: Vec<Mined> = World::new(WorldSpec::new(200), 5).collect();
    let chain = store(&blocks, blocks.len(), 0);
    let (watch, _) = Watch::start(chain.view(), &[], Rule::Lifo, &stop::never(), &Options::default()).unwrap();
    assert!(watch.write_to(Full).unwrap_err().is_io());
    assert!(watch.write_to(std::io::BufWriter::new(Full)).unwrap_err().is_io());
}

/// A saved watch with its content changed, under the right hash.
fn edited(bytes: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let magic = lines.next().unwrap();
    let mut body: Value = serde_json::from_slice(lines.nth(1).unwrap()).unwrap();
    edit(&mut body);
    let body = serde_json::to_vec(&body).unwrap();
    let hash = sha256::Hash::hash(&body).to_string();
    [magic, b"\n", hash.as_bytes(), b"\n", &body].concat()
}

/// Whoever writes a file can make its hash; what no run finds is refused, and nothing panics.
#[test]
fn a_file_that_says_what_no_run_finds_is_refused() {
    let blocks: Vec<Mined> = World::new(WorldSpec::new(1_000), 5).collect();
    let chain = store(&blocks, blocks.len(), 0);
    let seeds = seeds(chain.view());
    let middle = chain.as_of(BlockHeight::from_u32(chain.view().tip().unwrap().to_u32() * 3 / 4));
    let stop = stop::hops(30);
    for rule in Rule::ALL {
        let (watch, _) = Watch::start(middle, &seeds, rule, &stop, &Options::default()).unwrap();
        let bytes = saved(&watch);
        assert!(Watch::read(edited(&bytes, |_| ()).as_slice()).unwrap() == watch);
        let refused = |what: &str, edit: &dyn Fn(&mut Value)| {
            let watch = Watch::read(edited(&bytes, |body| edit(&mut body["points"][0]["state"])).as_slice());
            let error = watch.and_then(|mut watch| watch.advance(chain.view(), &stop).map(drop)).unwrap_err();
            assert!(error.is_spec() && error.to_string().contains("unsound"), "{rule}, {what}: {error}");
        };
        let huge = |amount: &mut Value| *amount = u64::MAX.into();
        refused("amount", &|state| huge(&mut state["held"][0]["pieces"][0][1]));
        refused("twice", &|state| {
            let held = state["held"][0].clone();
            state["held"].as_array_mut().unwrap().push(held);
        });
        refused("seeded", &|state| state["seeded"].as_array_mut().unwrap().swap(0, 1));
        refused("not seeded", &|state| state["seeded"].as_array_mut().unwrap().clear());
        refused("hops", &|state| state["held"][0]["hops"] = u32::MAX.into());
        refused("hops with room", &|state| state["held"][0]["hops"] = (u32::MAX - 1).into());
        refused("ledger", &|state| huge(&mut state["ledger"]["fees"]["total"]));
        refused("ledger by source", &|state| huge(&mut state["ledger"]["burned"]["by_source"][1]));
        refused("columns", &|state| drop(state["ledger"]["fees"]["by_source"].as_array_mut().unwrap().pop()));
        refused("transactions", &|state| huge(&mut state["transactions"]));
        refused("source", &|state| state["held"][0]["pieces"][0][0] = 3.into());
        if rule != Rule::Poison {
            refused("less", &|state| drop(state["held"].as_array_mut().unwrap().pop()));
            refused("one more", &|state| {
                let sat = state["held"][0]["pieces"][0][1].as_u64().unwrap();
                state["held"][0]["pieces"][0][1] = (sat - 1).into();
            });
        }
        let doubled = edited(&bytes, |body| {
            let point = body["points"][0].clone();
            body["points"].as_array_mut().unwrap().push(point);
        });
        assert!(Watch::read(doubled.as_slice()).unwrap_err().is_spec());
    }
}
