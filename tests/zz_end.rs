use isopath::Result;
use isopath::candle::{Device, Tensor};
use isopath::paths::*;
#[test]
fn ends() -> Result<()> {
    let cpu = &Device::Cpu;
    let end = Tensor::new(&[[-0.05, 0.467]], cpu)?;
    for start in [
        [-1.2, 1.0],
        [-0.3, 1.8],
        [-1.0, 0.4],
        [-0.9, 0.9],
        [0.1, 0.9],
        [-0.8, 0.7],
    ] {
        for (name, optimizer) in [
            (
                "fire",
                Optimizer::Fire(FireParams {
                    time_step: 0.002,
                    max_step: 0.2,
                }),
            ),
            ("adam", Optimizer::adam(0.01)),
            ("gd", SgdParams::plain(2e-4).into()),
        ] {
            for n in [500, 3000] {
                let s = Tensor::new(&[start], cpu)?;
                let params = NebParams {
                    pivots: 9,
                    spacing: Spacing::Springs { constant: 100. },
                    climbing: true,
                    optimizer,
                    stop: Stop::Force(1e-2),
                    max_iterations: n,
                    ..NebParams::default()
                };
                let info = &neb(&MullerBrown::default(), &s, &end, &params)?[0];
                println!(
                    "{start:?} {name} {n} {:?} {} {:.2?} at {:?}",
                    info.outcome,
                    info.iterations,
                    info.energies,
                    info.path.get(info.highest())?.to_vec1::<f64>()?
                );
            }
        }
    }
    Ok(())
}
