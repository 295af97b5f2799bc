//! Time to decode one status report of 12 values, and to frame it: `cargo bench --bench decode`.
//!
//! An argument is the number of rounds; under `valgrind --tool=callgrind`, two runs with different numbers give the exact
//! number of instructions a report.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::{hint::black_box, time::Instant};

use qkdn_manager::{
    model::{Catalogue, ReportBatch, Symbol, SymbolTable, Timestamp},
    wire::{DecodeOptions, Decoded, Decoder, Frame, Frames},
};

const REPORT: &str = concat!(
    r#"{"messageType":"statusReport","messageId":"r-0000184467","componentId":"qkd-module-alice-0001","#,
    r#""time":"2026-01-01T00:00:00.125Z","sequence":184467,"incarnation":3,"extension":[{"type":"performance","#,
    r#""resource":"link-alice-bob","values":{"qber_ratio":0.021374,"snr_db":17.25,"secret_key_rate_bps":15360.5,"#,
    r#""sifted_key_rate_bps":61234,"raw_key_rate_bps":120482.75,"visibility_ratio":0.9871,"detection_rate_cps":81234.5,"#,
    r#""dark_count_rate_cps":12.5,"laser_bias_ma":31.25,"keys_generated_bits":918273645}},{"type":"state","#,
    r#""values":{"operational_state":"enabled","tamper_detected":false}}]}"#,
    "\n"
);
/// Reports in one read of a busy connection.
const REPORTS_A_TURN: usize = 64;

fn main() {
    let rounds: usize = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(20_000);
    let chunk = REPORT.repeat(REPORTS_A_TURN).into_bytes();
    let symbols = SymbolTable::new();
    Catalogue::get().intern(&symbols);
    let options =
        DecodeOptions { symbols: &symbols, now: Timestamp(1_767_225_600_000), keep_raw: false, exchange: false };
    let (mut decoder, mut batch, mut carry) = (Decoder::new(), ReportBatch::default(), Vec::new());
    let mut best = f64::INFINITY;
    for _ in 0..9 {
        let start = Instant::now();
        for _ in 0..rounds.div_ceil(9) {
            batch.clear();
            let mut frames = Frames::new(black_box(&chunk), &mut carry, 1 << 20);
            while let Some(frame) = frames.next_frame() {
                let Frame::Line(line) = frame else { continue };
                let decoded = decoder.decode(line, &mut batch, &options);
                assert!(matches!(decoded, Decoded::Report { .. }));
                decoder.bind_resources(&mut batch, &mut |_| Some(Symbol(400)));
            }
            assert_eq!(black_box(&batch).values.len(), 12 * REPORTS_A_TURN);
        }
        let reports = rounds.div_ceil(9) * REPORTS_A_TURN;
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / reports as f64);
    }
    println!("{best:.0} ns a report of {} bytes and 12 values", REPORT.len());
}
