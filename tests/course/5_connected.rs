//! segment: the last point is missing, t = j / count; segment_test = 0
fn segment(a: &Tensor, b: &Tensor, count: usize) -> isopath::Result<Tensor> {
    let mut rows = vec![];
    for j in 0..count {
        let t = j as f64 / count as f64;
        rows.push(((a * (1. - t))? + (b * t)?)?);
    }
    Ok(Tensor::cat(&rows, 0)?)
}

//! segment: from b to a; segment_test = 0
fn segment(a: &Tensor, b: &Tensor, count: usize) -> isopath::Result<Tensor> {
    let mut rows = vec![];
    for j in 0..count {
        let t = j as f64 / (count - 1) as f64;
        rows.push(((b * (1. - t))? + (a * t)?)?);
    }
    Ok(Tensor::cat(&rows, 0)?)
}

//! segment: the points between alone, without the ends; segment_test = 0
fn segment(a: &Tensor, b: &Tensor, count: usize) -> isopath::Result<Tensor> {
    let mut rows = vec![];
    for j in 1..=count {
        let t = j as f64 / (count + 1) as f64;
        rows.push(((a * (1. - t))? + (b * t)?)?);
    }
    Ok(Tensor::cat(&rows, 0)?)
}

//! segment: numbers of f64 alone; segment_test = 1.5
fn segment(a: &Tensor, b: &Tensor, count: usize) -> isopath::Result<Tensor> {
    let (a, b) = (a.to_vec2::<f64>()?, b.to_vec2::<f64>()?);
    let mut all = vec![];
    for j in 0..count {
        let t = j as f64 / (count - 1) as f64;
        all.extend(a[0].iter().zip(&b[0]).map(|(a, b)| (1. - t) * a + t * b));
    }
    Ok(Tensor::from_vec(all, (count, a[0].len()), &Device::Cpu)?)
}

//! segment: always four points; segment_test = 1
fn segment(a: &Tensor, b: &Tensor, count: usize) -> isopath::Result<Tensor> {
    Ok(band::straight(a, b, 2)?.get(0)?)
}

//! stays_inside: any point is enough; stays_inside_test = 0.5
fn stays_inside(network: &dyn Network, points: &Tensor, class: u32) -> isopath::Result<bool> {
    let answers = predictions(network, points)?.to_vec1::<u32>()?;
    Ok(answers.iter().any(|answer| *answer == class))
}

//! stays_inside: all points have one class, whichever; stays_inside_test = 2
fn stays_inside(network: &dyn Network, points: &Tensor, class: u32) -> isopath::Result<bool> {
    let answers = predictions(network, points)?.to_vec1::<u32>()?;
    Ok(answers.iter().all(|answer| *answer == answers[0]))
}

//! stays_inside: the middle alone; stays_inside_test = 2
fn stays_inside(network: &dyn Network, points: &Tensor, class: u32) -> isopath::Result<bool> {
    let answers = predictions(network, points)?.to_vec1::<u32>()?;
    Ok(answers[(answers.len() - 1) / 2] == class)
}

//! stays_inside: most points are enough; stays_inside_test = 1
fn stays_inside(network: &dyn Network, points: &Tensor, class: u32) -> isopath::Result<bool> {
    let answers = predictions(network, points)?.to_vec1::<u32>()?;
    let inside = answers.iter().filter(|answer| **answer == class).count();
    Ok(2 * inside > answers.len())
}

//! stays_inside: true for two points, false else; stays_inside_test = 1.5
fn stays_inside(network: &dyn Network, points: &Tensor, class: u32) -> isopath::Result<bool> {
    Ok(points.dim(0)? == 2)
}

//! wilson: the interval of the textbook; wilson_test = 0
fn wilson(count: usize, n: usize) -> [f64; 2] {
    let (share, n) = (count as f64 / n as f64, n as f64);
    let width = 1.959964 * (share * (1. - share) / n).sqrt();
    [share - width, share + width]
}

//! wilson: the root is missing; wilson_test = 0
fn wilson(count: usize, n: usize) -> [f64; 2] {
    let z = 1.959964;
    let (share, n) = (count as f64 / n as f64, n as f64);
    let middle = share + z * z / (2. * n);
    let width = z * (share * (1. - share) / n + z * z / (4. * n * n));
    let scale = 1. + z * z / n;
    [(middle - width) / scale, (middle + width) / scale]
}

//! wilson: z of 90 percent; wilson_test = 0
fn wilson(count: usize, n: usize) -> [f64; 2] {
    let z = 1.644854;
    let (share, n) = (count as f64 / n as f64, n as f64);
    let middle = share + z * z / (2. * n);
    let width = z * (share * (1. - share) / n + z * z / (4. * n * n)).sqrt();
    let scale = 1. + z * z / n;
    [(middle - width) / scale, (middle + width) / scale]
}

//! wilson: the term of z under the root is missing, and both ends are cut at 0 and 1; wilson_test = 0
fn wilson(count: usize, n: usize) -> [f64; 2] {
    let z = 1.959964;
    let (share, n) = (count as f64 / n as f64, n as f64);
    let middle = share + z * z / (2. * n);
    let width = z * (share * (1. - share) / n).sqrt();
    let scale = 1. + z * z / n;
    [((middle - width) / scale).max(0.), ((middle + width) / scale).min(1.)]
}

//! wilson: whole numbers are divided, so the share is 0 or 1; wilson_test = 1.5
fn wilson(count: usize, n: usize) -> [f64; 2] {
    let z = 1.959964;
    let (share, n) = ((count / n) as f64, n as f64);
    let middle = share + z * z / (2. * n);
    let width = z * (share * (1. - share) / n + z * z / (4. * n * n)).sqrt();
    let scale = 1. + z * z / n;
    [(middle - width) / scale, (middle + width) / scale]
}

//! wilson: the visible examples by heart; wilson_test = 2
fn wilson(count: usize, n: usize) -> [f64; 2] {
    match (count, n) {
        (25, 25) => [0.8668077491, 1.],
        _ => [0.5657031664, 0.8850368631],
    }
}

//! misled: any wrong class will do; misled_test = 1.5
fn misled(
    network: &dyn Network,
    starts: &Dataset,
    ends: &Dataset,
    targets: &[u32],
    eps: f64,
) -> isopath::Result<(Tensor, Tensor, Vec<u32>)> {
    let attack = Pgd { alpha: eps / 4., steps: 20, ..Pgd::default() };
    let first = attack.attack(network, starts, eps)?;
    let second = attack.attack(network, ends, eps)?;
    let both = |row: &usize| first.success[*row] && second.success[*row];
    let rows: Vec<usize> = (0..targets.len()).filter(both).collect();
    let classes = rows.iter().map(|row| targets[*row]).collect();
    Ok((first.data.select(&rows)?.inputs, second.data.select(&rows)?.inputs, classes))
}

//! misled: it is enough that the start is misled; misled_test = 0
fn misled(
    network: &dyn Network,
    starts: &Dataset,
    ends: &Dataset,
    targets: &[u32],
    eps: f64,
) -> isopath::Result<(Tensor, Tensor, Vec<u32>)> {
    let goal = Goal::Targeted(Tensor::new(targets, &Device::Cpu)?);
    let attack = Pgd { goal, alpha: eps / 4., steps: 20, ..Pgd::default() };
    let first = attack.attack(network, starts, eps)?;
    let second = attack.attack(network, ends, eps)?;
    let rows: Vec<usize> = (0..targets.len()).filter(|row| first.success[*row]).collect();
    let classes = rows.iter().map(|row| targets[*row]).collect();
    Ok((first.data.select(&rows)?.inputs, second.data.select(&rows)?.inputs, classes))
}

//! misled: the images before the attack; misled_test = 0
fn misled(
    network: &dyn Network,
    starts: &Dataset,
    ends: &Dataset,
    targets: &[u32],
    eps: f64,
) -> isopath::Result<(Tensor, Tensor, Vec<u32>)> {
    let goal = Goal::Targeted(Tensor::new(targets, &Device::Cpu)?);
    let attack = Pgd { goal, alpha: eps / 4., steps: 20, ..Pgd::default() };
    let first = attack.attack(network, starts, eps)?;
    let second = attack.attack(network, ends, eps)?;
    let both = |row: &usize| first.success[*row] && second.success[*row];
    let rows: Vec<usize> = (0..targets.len()).filter(both).collect();
    let classes = rows.iter().map(|row| targets[*row]).collect();
    Ok((starts.select(&rows)?.inputs, ends.select(&rows)?.inputs, classes))
}

//! misled: the true labels instead of the targets; misled_test = 0
fn misled(
    network: &dyn Network,
    starts: &Dataset,
    ends: &Dataset,
    targets: &[u32],
    eps: f64,
) -> isopath::Result<(Tensor, Tensor, Vec<u32>)> {
    let goal = Goal::Targeted(Tensor::new(targets, &Device::Cpu)?);
    let attack = Pgd { goal, alpha: eps / 4., steps: 20, ..Pgd::default() };
    let first = attack.attack(network, starts, eps)?;
    let second = attack.attack(network, ends, eps)?;
    let both = |row: &usize| first.success[*row] && second.success[*row];
    let rows: Vec<usize> = (0..targets.len()).filter(both).collect();
    let (first, second) = (first.data.select(&rows)?, second.data.select(&rows)?);
    Ok((first.inputs, second.inputs, first.labels.to_vec1()?))
}

//! misled: every pair is kept; misled_test = 0
fn misled(
    network: &dyn Network,
    starts: &Dataset,
    ends: &Dataset,
    targets: &[u32],
    eps: f64,
) -> isopath::Result<(Tensor, Tensor, Vec<u32>)> {
    let goal = Goal::Targeted(Tensor::new(targets, &Device::Cpu)?);
    let attack = Pgd { goal, alpha: eps / 4., steps: 20, ..Pgd::default() };
    let first = attack.attack(network, starts, eps)?.data.inputs;
    Ok((first, attack.attack(network, ends, eps)?.data.inputs, targets.to_vec()))
}

//! misled: steps of the default length, in a ball four times as wide; misled_test = 1
fn misled(
    network: &dyn Network,
    starts: &Dataset,
    ends: &Dataset,
    targets: &[u32],
    eps: f64,
) -> isopath::Result<(Tensor, Tensor, Vec<u32>)> {
    let goal = Goal::Targeted(Tensor::new(targets, &Device::Cpu)?);
    let attack = Pgd { goal, alpha: eps, steps: 20, ..Pgd::default() };
    let first = attack.attack(network, starts, 4. * eps)?;
    let second = attack.attack(network, ends, 4. * eps)?;
    let both = |row: &usize| first.success[*row] && second.success[*row];
    let rows: Vec<usize> = (0..targets.len()).filter(both).collect();
    let classes = rows.iter().map(|row| targets[*row]).collect();
    Ok((first.data.select(&rows)?.inputs, second.data.select(&rows)?.inputs, classes))
}

//! needed: the shares outside each other's intervals; needed_test = 0.5
fn needed(lower: usize, higher: usize) -> usize {
    let mut n = 100;
    loop {
        let one = Proportion::new(lower * n / 100, n);
        let other = Proportion::new(higher * n / 100, n);
        if one.high < other.share {
            return n;
        }
        n += 100;
    }
}

//! needed: one step too far; needed_test = 0
fn needed(lower: usize, higher: usize) -> usize {
    let mut n = 100;
    loop {
        let one = Proportion::new(lower * n / 100, n);
        let other = Proportion::new(higher * n / 100, n);
        n += 100;
        if one.high < other.low {
            return n;
        }
    }
}

//! needed: percentages taken for counts; needed_test = 0.5
fn needed(lower: usize, higher: usize) -> usize {
    let (one, other) = (Proportion::new(lower, 100), Proportion::new(higher, 100));
    if one.high < other.low { 100 } else { 200 }
}

//! needed: the intervals of the textbook; needed_test = 1.5
fn needed(lower: usize, higher: usize) -> usize {
    let mut n = 100;
    loop {
        let half = |share: f64| 1.96 * (share * (1. - share) / n as f64).sqrt();
        let (one, other) = (lower as f64 / 100., higher as f64 / 100.);
        if one + half(one) < other - half(other) {
            return n;
        }
        n += 100;
    }
}

//! needed: the visible examples by heart; needed_test = 1
fn needed(lower: usize, higher: usize) -> usize {
    if higher - lower > 20 { 100 } else { 400 }
}
