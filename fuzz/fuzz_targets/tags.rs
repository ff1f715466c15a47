//! Any bytes as a file of tags, in the form they look like and in every other.
#![no_main]

use fundtrace::bitcoin::Network;
use fundtrace::tag::{self, Form, Tags};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for form in [None, Some(Form::TagPack), Some(Form::Csv), Some(Form::Sanctions)] {
        if let Ok(pack) = tag::read("fuzz_XBT", bytes, form, Network::Bitcoin) {
            let mut tags = Tags::default();
            tags.add(&pack);
            let _ = (pack.listing(), tags.digest(), tags.conflicts(Network::Bitcoin).count());
        }
    }
});
