//! Simulated chains: the same seed, the same bytes; and what a node would check.

use std::collections::HashMap;

use fundtrace::bitcoin::{Network, OutPoint, consensus::serialize};
use fundtrace::chain::Writer;
use fundtrace::id::TheftIndex;
use fundtrace::simulate::{BlockFiles, Card, Mined, Programme, World, WorldSpec};
use fundtrace::source::blk::Blocks;
use fundtrace::truth::{EntityKind, Kind, Truth};
use fundtrace::{Chain, EntityIndex};

use crate::blocks::Folder;

fn blocks(txs: u64, seed: u64) -> Vec<Mined> {
    World::new(WorldSpec::new(txs), seed).collect()
}

/// A world as a chain.
pub fn chain(txs: u64) -> Chain {
    store(&blocks(txs, 5))
}

fn store(blocks: &[Mined]) -> Chain {
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    for block in blocks {
        writer.block(block.height(), block.block().header, block.records()).unwrap();
    }
    let mut store = Vec::new();
    writer.finish().unwrap().write_to(&mut store).unwrap();
    Chain::from_bytes(store).unwrap()
}

/// Everything of a world as bytes: blocks and truth.
fn bytes(blocks: &[Mined]) -> Vec<u8> {
    blocks
        .iter()
        .flat_map(|block| {
            [serialize(block.block()), format!("{:?}", block.rows().collect::<Vec<_>>()).into_bytes()].concat()
        })
        .collect()
}

#[test]
fn a_seed_is_a_world() {
    let world = bytes(&blocks(3_000, 5));
    assert_eq!(bytes(&blocks(3_000, 5)), world);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| bytes(&blocks(3_000, 5))) == world, "{threads} threads");
    }
    assert!(bytes(&blocks(3_000, 6)) != world);
}

/// What Bitcoin Core checks and we can: links, proof of work, merkle roots, witness commitments, heights in coinbases, maturity, finality, weight, no
/// coin spent twice or made from nothing.
#[test]
fn a_node_would_take_it_but_for_the_signatures() {
    let blocks = blocks(20_000, 11);
    let mut unspent: HashMap<OutPoint, (u64, Option<u32>)> = HashMap::new();
    for pair in blocks.windows(2) {
        let (below, mined) = (&pair[0], &pair[1]);
        let (block, height) = (mined.block(), mined.height().to_u32());
        let header = block.header;
        assert_eq!(header.prev_blockhash, below.block().block_hash());
        assert!(header.time > below.block().header.time);
        header.validate_pow(header.target()).unwrap();
        assert!(block.check_merkle_root() && block.check_witness_commitment());
        // `bitcoin` does not read the one-byte pushes that Bitcoin Core asks for up to 16.
        assert!(height <= 16 || block.bip34_block_height().unwrap() == u64::from(height));
        assert!(block.weight().to_wu() <= 4_000_000);
        let mut fees = 0;
        for tx in &block.txdata[1..] {
            assert!(tx.lock_time.to_consensus_u32() < height);
            let mut paid = 0;
            for input in &tx.input {
                let (sat, coinbase) = unspent.remove(&input.previous_output).expect("nobody spends what is not there");
                assert!(coinbase.is_none_or(|made| height >= made + 100), "a reward is spent before its time");
                paid += sat;
            }
            let made: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
            fees += paid.checked_sub(made).expect("nobody makes money");
            add(&mut unspent, tx, None);
        }
        let claimed: u64 = block.txdata[0].output.iter().map(|output| output.value.to_sat()).sum();
        assert!(claimed <= fees + (5_000_000_000_u64 >> (height / 150)));
        add(&mut unspent, &block.txdata[0], Some(height));
    }
    let chain = store(&blocks);
    chain.verify().unwrap();
    assert!(chain.summary().txs - chain.summary().blocks >= 20_000);
}

fn add(
    unspent: &mut HashMap<OutPoint, (u64, Option<u32>)>,
    tx: &fundtrace::bitcoin::Transaction,
    coinbase: Option<u32>,
) {
    let txid = tx.compute_txid();
    for (vout, output) in (0..).zip(&tx.output) {
        if !output.script_pubkey.is_op_return() {
            assert!(unspent.insert(OutPoint::new(txid, vout), (output.value.to_sat(), coinbase)).is_none());
        }
    }
}

#[test]
fn block_files_read_back_to_the_same_records() {
    let folder = Folder::new("world");
    let blocks = blocks(4_000, 3);
    let mut files = BlockFiles::new(&folder.0);
    blocks.iter().for_each(|block| files.block(block.block()).unwrap());
    files.finish().unwrap();
    let read = Blocks::open(&[&folder.0], Network::Regtest).unwrap();
    assert_eq!((read.len(), read.stale(), read.ignored().len()), (blocks.len(), 0, 0));
    let mut records = blocks.iter().flat_map(|block| block.records());
    for tx in read.txs() {
        assert_eq!(tx.unwrap(), records.next().unwrap());
    }
    assert!(records.next().is_none());
    // And through the path without copies.
    let mut writer = Writer::new(Network::Regtest, &folder.0);
    read.write_to(&mut writer, |_| {}).unwrap();
    let mut bytes = Vec::new();
    writer.finish().unwrap().write_to(&mut bytes).unwrap();
    assert_eq!(Chain::from_bytes(bytes).unwrap().digest(), store(&blocks).digest());
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

/// A world with its chain and truth.
pub fn known(spec: WorldSpec, seed: u64) -> (Chain, Truth) {
    World::new(spec, seed).known(&std::env::temp_dir()).unwrap()
}

/// In no transaction is there more loot of a theft than came in, but where a custodian's books pay it out again; nothing is more loot than it is worth, and
/// what is loot has an owner.
#[test]
fn loot_is_neither_made_nor_lost() {
    let (chain, truth) = known(WorldSpec::new(30_000).thefts(Programme::usual()), 4);
    let view = chain.view();
    assert!(truth.thefts().len() >= 6);
    for (index, theft) in (0..).map(TheftIndex::from_u32).zip(truth.thefts()) {
        let thief = EntityIndex::from_u32(theft.thief);
        let seeds: u64 = truth.seeds(view, index).iter().map(|(_, amount)| amount.to_sat()).sum();
        assert_eq!(seeds, theft.sat);
        let (mut fees, mut paid_out, mut gone) = (0, 0, 0);
        let loot = |output: fundtrace::OutputIndex| {
            truth.stolen(output).filter(|(of, _)| *of == index).map_or(0, |(_, amount)| amount.to_sat())
        };
        let mut txs: Vec<_> =
            truth.route(view, index).iter().map(|(output, _)| view.output(*output).tx().index()).collect();
        txs.dedup();
        for tx in txs.into_iter().map(|tx| view.tx(tx)) {
            let mine = |output: &fundtrace::chain::Output<'_>| truth.holder(output.index()) == Some(thief);
            let brought: u64 =
                tx.inputs().filter_map(|input| input.prevout()).filter(mine).map(|output| loot(output.index())).sum();
            let made: u64 = tx.outputs().map(|output| loot(output.index())).sum();
            match truth.kind(tx.index()) {
                Some(Kind::Theft) => {}
                Some(Kind::Withdrawal | Kind::MixerPayout) => paid_out += made,
                // Chips are loot only after they were handed over.
                Some(Kind::Chips) => paid_out += made,
                _ => {
                    assert!(made <= brought, "{} makes loot: {made} of {brought}", tx.txid());
                    fees += brought - made;
                }
            }
            for output in tx.outputs().filter(|output| loot(output.index()) > 0) {
                assert!(
                    truth.owner(output.index()).is_some() && output.value().unwrap().to_sat() >= loot(output.index())
                );
                gone += if mine(&output) { 0 } else { loot(output.index()) };
            }
        }
        let held: u64 = truth.held(view, index).iter().map(|(_, amount)| amount.to_sat()).sum();
        assert_eq!(
            seeds + paid_out,
            fees + gone + held,
            "theft {index}: what came in is what went out, was paid in fees, or is there"
        );
        assert!(paid_out <= gone, "custodians pay out what was paid in");
    }
}

/// Thefts are numbered as they happen, and some never do: a world that ends early has a sound truth too.
#[test]
fn worlds_that_end_early_have_a_sound_truth() {
    for (txs, thefts) in [(1, 3), (700, 40), (2_500, 200)] {
        let programmes = Programme::usual().into_iter().cycle().take(thefts).collect();
        let (_, truth) = known(WorldSpec::new(txs).thefts(programmes), 3);
        assert!(truth.thefts().len() <= thefts);
    }
}

#[test]
fn every_stage_is_walked() {
    for stages in [
        "whirlpool 2",
        "wasabi1",
        "wasabi2",
        "joinmarket",
        "chips",
        "tumbler",
        "through",
        "blend",
        "dust 12",
        "decoys 5",
    ] {
        let programme: Programme = format!("wait 5, split 3, {stages}, shuffle 1, exchange").parse().unwrap();
        let (chain, truth) = known(WorldSpec::new(25_000).thefts(vec![programme]), 8);
        let view = chain.view();
        let [theft] = truth.thefts() else { panic!("one theft") };
        let route = truth.route(view, TheftIndex::from_u32(0));
        let kinds: Vec<Kind> =
            route.iter().filter_map(|(output, _)| truth.kind(view.output(*output).tx().index())).collect();
        let kind = match stages.split(' ').next().unwrap() {
            "whirlpool" => Kind::Whirlpool,
            "wasabi1" => Kind::Wasabi1,
            "wasabi2" => Kind::Wasabi2,
            "joinmarket" => Kind::Joinmarket,
            "chips" => Kind::Chips,
            "tumbler" => Kind::MixerPayout,
            "through" => Kind::Withdrawal,
            "dust" => Kind::Dust,
            _ => Kind::Consolidation,
        };
        assert!(kinds.contains(&kind), "{stages}: {kinds:?}");
        // What is blended is worth more than the loot in it.
        let blended = |(output, loot): &(fundtrace::OutputIndex, _)| view.output(*output).value() > Some(*loot);
        assert!(stages != "blend" || route.iter().any(blended));
        let exits = truth.exits(view, TheftIndex::from_u32(0));
        let cashed: u64 =
            exits.iter().filter(|exit| exit.kind == EntityKind::Exchange).map(|exit| exit.amount.to_sat()).sum();
        assert!(cashed > theft.sat / 2, "{stages}: {cashed} of {} came to an exchange", theft.sat);
    }
}

#[test]
fn the_card_tells_a_world_from_another_chain() {
    let card = Card::of(store(&blocks(20_000, 2)).view());
    let row = |name: &str| card.rows().iter().find(|row| row.name == name).unwrap();
    for name in [
        "one output",
        "two outputs",
        "three outputs or more",
        "of two outputs: one input",
        "of two outputs: two inputs",
    ] {
        assert!(row(name).holds(), "{card}");
    }
    assert!(row("hops of the longest chain").found > 100);
    // One block of one coinbase has none of it.
    let genesis = Card::of(store(&blocks(20_000, 2)[..1]).view());
    assert!(!genesis.rows()[0].holds());
    assert!(card.to_string().lines().count() == card.rows().len() + 1);
}
