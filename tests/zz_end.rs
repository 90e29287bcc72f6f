use isopath::Result;
use isopath::candle::{Device, Tensor};
use isopath::paths::*;
#[test]
fn ends() -> Result<()> {
    let cpu = &Device::Cpu;
    let surface = MullerBrown::default();
    let (s,e) = (Tensor::new(&[[-0.558, 1.442]], cpu)?, Tensor::new(&[[0.623, 0.028]], cpu)?);
    for l in linear(&surface, &s, &e, 12, 10)? { println!("line {:.2} {:.2}", l.barrier(), l.energy.iter().cloned().fold(f64::MIN, f64::max)); }
    let fire = FireParams { time_step: 0.002, max_step: 0.2 };
    for climbing in [false, true] {
    for (name, o) in [("gd2e-4", Optimizer::from(SgdParams::plain(2e-4))), ("mom", SgdParams{momentum:0.9,..SgdParams::plain(2e-4)}.into()), ("mom1e-4", SgdParams{momentum:0.9,..SgdParams::plain(1e-4)}.into()), ("adam0.01", Optimizer::adam(0.01)), ("adam0.002", Optimizer::adam(0.002)),("fire.002", fire.into()), ("fire.005", FireParams{time_step:0.005,max_step:0.2}.into()), ("fire.001", FireParams{time_step:0.001,max_step:0.2}.into()), ("fire default", FireParams::default().into())] {
        let p = NebParams { pivots: 11, spacing: Spacing::Springs { constant: 100. }, climbing, optimizer: o, stop: Stop::Force(0.1), max_iterations: 3000, ..NebParams::default() };
        let i = neb(&surface, &s, &e, &p)?.remove(0);
        println!("{climbing} {name} {} {} E {:.4} dense {:.3} evals {}", i.outcome, i.iterations, i.energies[i.highest()], i.after.energy.iter().cloned().fold(f64::MIN, f64::max), i.evaluations.gradients);
    }}
    for (pivots, cyc) in [(3, vec![(2,200),(2,200),(4,1000)]), (3, vec![(2,100),(4,500)]), (2, vec![(2,100),(2,100),(2,500)])] {
        let neb = NebParams { pivots, spacing: Spacing::Springs { constant: 100. }, climbing:false, optimizer: fire.into(), stop: Stop::Force(0.1), max_iterations: 100, ..NebParams::default() };
        let cycles = cyc.iter().map(|(insert, max_iterations)| Cycle { insert: *insert, optimizer: fire.into(), max_iterations: *max_iterations }).collect();
        let coarse = paths_neb(&surface, &s, &e, &neb)?;
        let g = auto_neb(&surface, &s, &e, &AutoNebParams { neb, cycles })?.remove(0);
        println!("auto {pivots} {cyc:?} {} {} {:?} E {:.3} dense {:.3} evals {} coarse dense {:.3} {} {}", g.outcome, g.iterations, g.path.dims(), g.energies[g.highest()], g.after.energy.iter().cloned().fold(f64::MIN, f64::max), g.evaluations.gradients, coarse.after.energy.iter().cloned().fold(f64::MIN, f64::max), coarse.outcome, coarse.iterations);
    }
    let l = Leps::default();
    let (s,e) = (Tensor::new(&[[0.742, 3.5]], cpu)?, Tensor::new(&[[3.5, 0.742]], cpu)?);
    let fire = FireParams { time_step: 0.02, max_step: 0.2 };
    let p = NebParams { pivots: 11, spacing: Spacing::Springs { constant: 5. }, climbing:true, optimizer: fire.into(), stop: Stop::Force(1e-3), max_iterations: 3000, ..NebParams::default() };
    let i = neb(&l, &s, &e, &p)?.remove(0);
    println!("leps {} {} {:?} {:?}", i.outcome, i.iterations, i.path.get(i.highest())?.to_vec1::<f64>()?, i.energies);
    println!("line {:.3} path {:.3}", i.before.barrier(), i.after.barrier());
    for d in [0, 1] { let p2 = NebParams{climbing:false, ..p}; let j = neb(&l,&s,&e,&p2)?.remove(0); if d==0 {println!("nc {} {} {:?}", j.outcome, j.iterations, j.energies[j.highest()]);} }
    Ok(())
}
fn paths_neb(a:&dyn Energy, s:&Tensor,e:&Tensor,p:&NebParams)->Result<NebInfo>{Ok(neb(a,s,e,p)?.remove(0))}
