//! The graph of a class on a residual network for CIFAR-10: milliseconds for each segment tested, in
//! the three spaces of the *connectivity* paper.
//!
//! ```text
//! CANDLE_NUM_THREADS=1 RAYON_NUM_THREADS=$(nproc) cargo bench --bench regions [-- part of a case's name]
//! ```
//!
//! prints `{"case", "ms", "tests"}` a case, with the names of `benches/peers/torch_regions.py`;
//! `benches/compare.py --suite regions` runs both. The limit is the network: 15 evaluations a test, and
//! one of each point. In the last layer, where the logits of a point lie between those of the ends, it is
//! the search for neighbours.
//!
//! After the first stage, on two Zen 3 cores (AVX2, 102 GFLOP/s each), 10.3 to 11 ms a test: 71 % are sums
//! of products, at some 87 % of what the cores can do, 20 % Winograd's convolutions, of which products are
//! two thirds, 4 % the search for neighbours, 2 % the points between. That what is affine in the point is
//! known at the ends, and not computed at each point, took 12.6 ms to 11.4; the search for neighbours
//! without copies in f64, 11.4 to 10.9. There PyTorch 2.15 takes 4.6, 2.1 and 3.9 times as long as we do in the
//! pixels, after the first stage and in the last layer; with channels last 2.6 and 2.1 times in the first two
//! (medians of three rounds).

use std::time::Instant;

use isopath::Result;
use isopath::candle::DType;
use isopath::datasets::Dataset;
use isopath::device;
use isopath::experiments::cifar10;
use isopath::experiments::connectivity_cifar10::Space;
use isopath::experiments::connectivity_regions::answered;
use isopath::metrics::predictions;
use isopath::models::Network as _;
use isopath::paths::{RegionsParams, regions};
use isopath::progress::Progress;
use isopath::rng::Rng;

const IMAGES: usize = 200;

fn main() -> Result<()> {
    // cargo itself adds `--bench`.
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .unwrap_or_default();
    let network = cifar10::build(&cifar10::Settings::default(), &device::best())?.frozen()?;
    let images = Rng::new(0).uniform((IMAGES, 3, 32, 32), 0., 1., DType::F32, &device::best())?;
    let answers = predictions(network.as_ref(), &images)?;
    let data = Dataset::new(images, answers.clone())?;
    let vertices = answered(&data, &answers)?;
    let Some((class, rows)) = vertices.iter().max_by_key(|(_, rows)| rows.len()) else {
        return Ok(());
    };
    let images = data.select(rows)?.inputs;
    let params = RegionsParams {
        progress: Progress::Hidden,
        ..RegionsParams::default()
    };
    for space in Space::ALL {
        let case = format!("regions space={} images={IMAGES} samples=16", space.name());
        if !case.contains(&only) {
            continue;
        }
        let representation = space.representation();
        let points = representation.of(network.as_ref(), &images)?;
        let (mut best, mut tests) = (f64::INFINITY, 0);
        for _ in 0..3 {
            let start = Instant::now();
            let found = regions(network.as_ref(), representation, &points, *class, &params)?;
            best = best.min(start.elapsed().as_secs_f64() * 1e3 / found.tests as f64);
            tests = found.tests;
        }
        println!("{{\"case\": \"{case}\", \"ms\": {best:.4}, \"tests\": {tests}}}");
    }
    Ok(())
}
