//! tangents: chords that are not divided by their lengths; tangents_test = 0
fn tangents(path: &Tensor) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    Ok((path.narrow(0, 2, pivots)? - path.narrow(0, 0, pivots)?)?)
}

//! tangents: the segment ahead alone; tangents_test = 0
fn tangents(path: &Tensor) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    let chords = (path.narrow(0, 2, pivots)? - path.narrow(0, 1, pivots)?)?;
    Ok(chords.broadcast_div(&chords.sqr()?.sum_keepdim(1)?.sqrt()?)?)
}

//! tangents: divided by the sum of squares; tangents_test = 0
fn tangents(path: &Tensor) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    let chords = (path.narrow(0, 2, pivots)? - path.narrow(0, 0, pivots)?)?;
    Ok(chords.broadcast_div(&chords.sqr()?.sum_keepdim(1)?)?)
}

//! tangents: from behind to before; tangents_test = 0
fn tangents(path: &Tensor) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    let chords = (path.narrow(0, 0, pivots)? - path.narrow(0, 2, pivots)?)?;
    Ok(chords.broadcast_div(&chords.sqr()?.sum_keepdim(1)?.sqrt()?)?)
}

//! tangents: works in the plane alone; tangents_test = 2
fn tangents(path: &Tensor) -> isopath::Result<Tensor> {
    let rows = path.to_vec2::<f64>()?;
    let mut all = vec![];
    for at in 1..rows.len() - 1 {
        let (x, y) = (rows[at + 1][0] - rows[at - 1][0], rows[at + 1][1] - rows[at - 1][1]);
        all.extend([x / x.hypot(y), y / x.hypot(y)]);
    }
    Ok(Tensor::from_vec(all, (rows.len() - 2, 2), path.device())?)
}

//! tangents: the visible example by heart; tangents_test = 1.5
fn tangents(path: &Tensor) -> isopath::Result<Tensor> {
    let c = 1. / 2f64.sqrt();
    Ok(Tensor::new(&[[c, -c], [1., 0.], [c, c]], path.device())?)
}

//! across: the part along the band; across_test = 0
fn across(gradients: &Tensor, tangents: &Tensor) -> isopath::Result<Tensor> {
    let along = (gradients * tangents)?.sum_keepdim(1)?;
    Ok(tangents.broadcast_mul(&along)?)
}

//! across: added instead of taken away; across_test = 0
fn across(gradients: &Tensor, tangents: &Tensor) -> isopath::Result<Tensor> {
    let along = (gradients * tangents)?.sum_keepdim(1)?;
    Ok((gradients + tangents.broadcast_mul(&along)?)?)
}

//! across: number by number, without the sum; across_test = 0
fn across(gradients: &Tensor, tangents: &Tensor) -> isopath::Result<Tensor> {
    Ok((gradients - ((gradients * tangents)? * tangents)?)?)
}

//! across: one sum over all rows; across_test = 0
fn across(gradients: &Tensor, tangents: &Tensor) -> isopath::Result<Tensor> {
    let along = (gradients * tangents)?.sum_all()?;
    Ok((gradients - tangents.broadcast_mul(&along)?)?)
}

//! across: perpendicular, but in the plane alone; across_test = 1
fn across(gradients: &Tensor, tangents: &Tensor) -> isopath::Result<Tensor> {
    let (g, t) = (gradients.to_vec2::<f64>()?, tangents.to_vec2::<f64>()?);
    let mut all = vec![];
    for (g, t) in g.iter().zip(&t) {
        let away = g[1] * t[0] - g[0] * t[1];
        all.extend([-away * t[1], away * t[0]]);
    }
    Ok(Tensor::from_vec(all, (g.len(), 2), gradients.device())?)
}

//! across: no gradient at all; across_test = 0
fn across(gradients: &Tensor, tangents: &Tensor) -> isopath::Result<Tensor> {
    Ok((gradients * 0.)?)
}

//! springs: pulled to the shorter segment; springs_test = 0.5
fn springs(path: &Tensor, tangents: &Tensor, k: f64) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    let segments = (path.narrow(0, 1, pivots + 1)? - path.narrow(0, 0, pivots + 1)?)?;
    let lengths = segments.sqr()?.sum_keepdim(1)?.sqrt()?;
    let stretch = (lengths.narrow(0, 0, pivots)? - lengths.narrow(0, 1, pivots)?)?;
    Ok(tangents.broadcast_mul(&(stretch * k)?)?)
}

//! springs: squared lengths; springs_test = 0.5
fn springs(path: &Tensor, tangents: &Tensor, k: f64) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    let segments = (path.narrow(0, 1, pivots + 1)? - path.narrow(0, 0, pivots + 1)?)?;
    let lengths = segments.sqr()?.sum_keepdim(1)?;
    let stretch = (lengths.narrow(0, 1, pivots)? - lengths.narrow(0, 0, pivots)?)?;
    Ok(tangents.broadcast_mul(&(stretch * k)?)?)
}

//! springs: the whole springs, not their part along the band; springs_test = 1
fn springs(path: &Tensor, tangents: &Tensor, k: f64) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    let ends = (path.narrow(0, 2, pivots)? + path.narrow(0, 0, pivots)?)?;
    Ok(((ends - (path.narrow(0, 1, pivots)? * 2.)?)? * k)?)
}

//! springs: the part of the whole springs along the band; springs_test = 1
fn springs(path: &Tensor, tangents: &Tensor, k: f64) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    let ends = (path.narrow(0, 2, pivots)? + path.narrow(0, 0, pivots)?)?;
    let whole = ((ends - (path.narrow(0, 1, pivots)? * 2.)?)? * k)?;
    Ok(tangents.broadcast_mul(&(whole * tangents)?.sum_keepdim(1)?)?)
}

//! springs: k is missing; springs_test = 0.5
fn springs(path: &Tensor, tangents: &Tensor, k: f64) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    let segments = (path.narrow(0, 1, pivots + 1)? - path.narrow(0, 0, pivots + 1)?)?;
    let lengths = segments.sqr()?.sum_keepdim(1)?.sqrt()?;
    let stretch = (lengths.narrow(0, 1, pivots)? - lengths.narrow(0, 0, pivots)?)?;
    Ok(tangents.broadcast_mul(&stretch)?)
}

//! springs: no force at all; springs_test = 0.5
fn springs(path: &Tensor, tangents: &Tensor, k: f64) -> isopath::Result<Tensor> {
    Ok((tangents * 0.)?)
}

//! relax: the force of the first path in every step; relax_test = 1
fn relax(
    path: &Tensor,
    force: &dyn Fn(&Tensor) -> isopath::Result<Tensor>,
    step: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let last = path.dim(0)? - 1;
    let moved = (path.narrow(0, 1, last - 1)? + (force(path)? * (step * steps as f64))?)?;
    Ok(Tensor::cat(&[&path.narrow(0, 0, 1)?, &moved, &path.narrow(0, last, 1)?], 0)?)
}

//! relax: against the force; relax_test = 0
fn relax(
    path: &Tensor,
    force: &dyn Fn(&Tensor) -> isopath::Result<Tensor>,
    step: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let last = path.dim(0)? - 1;
    let mut path = path.clone();
    for _ in 0..steps {
        let pivots = (path.narrow(0, 1, last - 1)? - (force(&path)? * step)?)?;
        path = Tensor::cat(&[&path.narrow(0, 0, 1)?, &pivots, &path.narrow(0, last, 1)?], 0)?;
    }
    Ok(path)
}

//! relax: one step too few, which two thousand steps forgive; relax_test = 1
fn relax(
    path: &Tensor,
    force: &dyn Fn(&Tensor) -> isopath::Result<Tensor>,
    step: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let last = path.dim(0)? - 1;
    let mut path = path.clone();
    for _ in 1..steps {
        let pivots = (path.narrow(0, 1, last - 1)? + (force(&path)? * step)?)?;
        path = Tensor::cat(&[&path.narrow(0, 0, 1)?, &pivots, &path.narrow(0, last, 1)?], 0)?;
    }
    Ok(path)
}

//! relax: the ends are lost; relax_test = 0
fn relax(
    path: &Tensor,
    force: &dyn Fn(&Tensor) -> isopath::Result<Tensor>,
    step: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let pivots = path.dim(0)? - 2;
    Ok((path.narrow(0, 1, pivots)? + (force(path)? * (step * steps as f64))?)?)
}

//! relax: the end is put where the start is; relax_test = 0
fn relax(
    path: &Tensor,
    force: &dyn Fn(&Tensor) -> isopath::Result<Tensor>,
    step: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let last = path.dim(0)? - 1;
    let mut path = path.clone();
    for _ in 0..steps {
        let pivots = (path.narrow(0, 1, last - 1)? + (force(&path)? * step)?)?;
        path = Tensor::cat(&[&path.narrow(0, 0, 1)?, &pivots, &path.narrow(0, 0, 1)?], 0)?;
    }
    Ok(path)
}

//! barrier: the pivots alone, and the lower end; barrier_test = 0
fn dense(path: &Tensor, count: usize) -> isopath::Result<Tensor> {
    Ok(path.clone())
}

fn barrier(energies: &[f64]) -> f64 {
    let highest = energies.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    highest - energies[0].min(energies[energies.len() - 1])
}

//! barrier: the last point is missing, and the first end is taken for the higher one; barrier_test = 1
fn dense(path: &Tensor, count: usize) -> isopath::Result<Tensor> {
    let mut points = vec![];
    for segment in 0..path.dim(0)? - 1 {
        let (from, to) = (path.narrow(0, segment, 1)?, path.narrow(0, segment + 1, 1)?);
        for sample in 0..count {
            let t = sample as f64 / count as f64;
            points.push(((&from * (1. - t))? + (&to * t)?)?);
        }
    }
    Ok(Tensor::cat(&points, 0)?)
}

fn barrier(energies: &[f64]) -> f64 {
    energies.iter().copied().fold(f64::NEG_INFINITY, f64::max) - energies[0]
}

//! barrier: every segment with both of its ends, and a maximum that begins at 0; barrier_test = 1.5
fn dense(path: &Tensor, count: usize) -> isopath::Result<Tensor> {
    let mut points = vec![];
    for segment in 0..path.dim(0)? - 1 {
        let (from, to) = (path.narrow(0, segment, 1)?, path.narrow(0, segment + 1, 1)?);
        for sample in 0..=count {
            let t = sample as f64 / count as f64;
            points.push(((&from * (1. - t))? + (&to * t)?)?);
        }
    }
    Ok(Tensor::cat(&points, 0)?)
}

fn barrier(energies: &[f64]) -> f64 {
    let highest = energies.iter().copied().fold(0., f64::max);
    highest - energies[0].max(energies[energies.len() - 1])
}

//! barrier: samples of all segments side by side, and the ends left out of the maximum; barrier_test = 1.5
fn dense(path: &Tensor, count: usize) -> isopath::Result<Tensor> {
    let segments = path.dim(0)? - 1;
    let mut points = vec![];
    for sample in 0..count {
        let t = sample as f64 / count as f64;
        let (from, to) = (path.narrow(0, 0, segments)?, path.narrow(0, 1, segments)?);
        points.push(((from * (1. - t))? + (to * t)?)?);
    }
    points.push(path.narrow(0, segments, 1)?);
    Ok(Tensor::cat(&points, 0)?)
}

fn barrier(energies: &[f64]) -> f64 {
    let between = &energies[1..energies.len() - 1];
    let highest = between.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    highest - energies[0].max(energies[energies.len() - 1])
}

//! ring: no gradient; ring_test = 0.5
fn ring(x: f64, y: f64) -> (f64, [f64; 2]) {
    let r = x * x + y * y - 1.;
    (10. * r * r + 4.8 * y * y - 2. * y * y * y, [0., 0.])
}

//! ring: the inner derivative is missing; ring_test = 0.5
fn ring(x: f64, y: f64) -> (f64, [f64; 2]) {
    let r = x * x + y * y - 1.;
    (10. * r * r + 4.8 * y * y - 2. * y * y * y, [20. * r, 20. * r + 9.6 * y - 6. * y * y])
}

//! ring: the ring is not squared; ring_test = 0
fn ring(x: f64, y: f64) -> (f64, [f64; 2]) {
    let r = x * x + y * y - 1.;
    (10. * r + 4.8 * y * y - 2. * y * y * y, [20. * x, 20. * y + 9.6 * y - 6. * y * y])
}

//! ring: the force instead of the gradient; ring_test = 1
fn ring(x: f64, y: f64) -> (f64, [f64; 2]) {
    let r = x * x + y * y - 1.;
    let gradient = [40. * x * r, 40. * y * r + 9.6 * y - 6. * y * y];
    (10. * r * r + 4.8 * y * y - 2. * y * y * y, [-gradient[0], -gradient[1]])
}
