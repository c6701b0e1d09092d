//! Gradients of a batch.

use super::{
    Device, Network, Value,
    balance::Balance,
    frame::Frame,
    kernels::sum::sum_of_squares,
    layout::Layout,
    loss::Want,
    objective::{self, Known, Objective},
    pass::{Mode, Pass, Setup, Stage},
    transfer,
};
use burn::tensor::Tensor as Burn;
use framework_base::{Batch, IGNORE};
use framework_core::{Op, PluginError, Result, ffi::HostTensor};
use std::{collections::BTreeMap, sync::Arc};

/// Positions that predict a label, in the flattened batch, and the labels.
pub(super) fn supervised(batch: &Batch) -> (Vec<i32>, Vec<i32>) {
    let next = (0..batch.ids.len()).filter(|i| (i + 1) % batch.time != 0 && batch.labels[i + 1] != IGNORE);
    next.map(|i| (i as i32, batch.labels[i + 1])).unzip()
}

/// The places in a pass of tokens that are given by their numbers.
pub(super) fn placed(tokens: Vec<i32>, layout: &Layout) -> Vec<i32> {
    let places = layout.places();
    tokens.into_iter().map(|token| places[token as usize]).collect()
}

/// Gradients by parameter name, outside of any graph.
#[derive(Default)]
pub struct Grads(pub BTreeMap<String, Value>);

impl Grads {
    fn add(&mut self, name: String, grad: Value) -> Result<()> {
        let total = match self.0.remove(&name) {
            Some(sum) => sum.plus(grad)?,
            None => grad,
        };
        self.0.insert(name, total);
        Ok(())
    }

    /// The norm of all of them; read back as one number.
    pub fn norm(&self) -> Result<f64> {
        let mut squares = Vec::new();
        for grad in self.0.values() {
            squares.push(sum_of_squares(grad.clone().into_float()?.inner()));
        }
        if squares.is_empty() {
            return Ok(0.0);
        }
        let norm = Burn::cat(squares, 0).sum().sqrt();
        Ok(transfer::read(|| norm.into_data())?.into_iter().map(f64::from).sum())
    }

    /// Adds another batch's gradients.
    pub fn merge(&mut self, other: Grads) -> Result<()> {
        other.0.into_iter().try_for_each(|(name, grad)| self.add(name, grad))
    }
}

/// Rows of flattened hidden states.
pub(super) fn pick(hidden: Value, rows: Vec<i32>, device: &Device) -> Result<Value> {
    let shape = hidden.shape();
    let (all, width) = (shape[0] * shape[1], shape[2]);
    let flat = Value::execute(Op::Reshape { shape: vec![all as i64, width as i64].into() }, vec![hidden])?;
    let n = rows.len();
    let rows = Value::from_ints(rows, &[n], device)?;
    let rows = if flat.is_tracked() { rows.tracked() } else { rows };
    Value::execute(Op::IndexSelect { dim: 0 }, vec![flat, rows])
}

/// How gradients are computed.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// What they are multiplied with.
    pub factor: f64,
    /// What the batch counts, in the unit of the loss: what plugins add to the loss is multiplied with it.
    pub count: f64,
    /// Of the random factors.
    pub seed: u64,
    /// Keep only the blocks' inputs, and run each block a second time on the way back (Chen et al., 2016,
    /// arXiv:1604.06174).
    pub checkpointing: bool,
}

/// One batch's way through the network and back.
struct Step<'a> {
    network: &'a Arc<Network>,
    batch: &'a Batch,
    objective: &'a Objective<'a>,
    known: Known,
    how: How,
    frame: Arc<Frame>,
    ids: Value,
    grads: Grads,
    /// What plugins added to the loss, per supervised token.
    added: Option<Value>,
    balance: Balance,
}

impl Network {
    /// The summed cross-entropy of a batch's labels, and `factor` times its gradients. What plugins add to the loss counts
    /// for each of them.
    pub fn gradients(
        self: &Arc<Self>,
        batch: &Batch,
        factor: f64,
        seed: u64,
        checkpointing: bool,
    ) -> Result<(f64, Grads)> {
        let how = How { factor, count: batch.supervised() as f64, seed, checkpointing };
        self.gradients_of(batch, &Objective::default(), how)
    }

    /// The summed loss of a batch under an objective, and `factor` times its gradients. Below the lowest block with a
    /// trained parameter nothing is recorded.
    pub fn gradients_of(self: &Arc<Self>, batch: &Batch, objective: &Objective, how: How) -> Result<(f64, Grads)> {
        if batch.supervised() == 0 {
            return Ok((0.0, Grads::default()));
        }
        let known = objective.ask(batch, self.spec().vocab_size, &self.device().burn)?;
        let (grads, added, balance) = (Grads::default(), None, Balance::default());
        let layout = Layout::new(batch.rows, batch.time, batch.segments.clone(), self.virtual_tokens());
        let frame = Arc::new(Frame::new(layout, self.device()));
        let ids = self.ids(batch.ids.iter().map(|&id| id as i32).collect(), batch.rows, batch.time)?;
        let mut step = Step { network: self, batch, objective, known, how, frame, ids, grads, added, balance };
        let mut loss = if how.checkpointing { step.by_block()? } else { step.at_once()? };
        for added in step.added.into_iter().chain(step.balance.loss()?) {
            loss = loss.plus(added.times(how.count)?)?;
        }
        // The only number that is read back, but for objectives that are functions of probabilities.
        Ok((f64::from(loss.scalar()?), step.grads))
    }
}

impl Step<'_> {
    fn pass(&self, graph: bool) -> Arc<Pass> {
        let (rows, time) = (self.batch.rows, self.batch.time);
        let (mode, frame) = (Mode::Train { seed: self.how.seed }, Some(self.frame.clone()));
        Pass::new(self.network, Setup { mode, graph, frame, bare: false, rows, time, segments: Vec::new() })
    }

    /// Notes what a pass has added to the loss so far.
    fn note(&mut self, pass: &Pass) -> Result<()> {
        for value in pass.losses() {
            let value = Value::execute(Op::Reshape { shape: vec![1].into() }, vec![value.plain()])?;
            self.added = Some(match self.added.take() {
                Some(sum) => sum.plus(value)?,
                None => value,
            });
        }
        self.balance.add(&pass.routers())
    }

    /// Everything that is differentiated in one graph.
    fn at_once(&mut self) -> Result<Value> {
        let (network, blocks) = (self.network, self.network.spec().blocks);
        let lowest = network.lowest_trained();
        let graph = self.pass(true);
        let mut hidden = match lowest {
            None => network.stage(&graph, Stage::Embed, self.ids.clone().tracked())?,
            Some(lowest) => {
                let plain = self.pass(false);
                let mut hidden = network.stage(&plain, Stage::Embed, self.ids.clone())?;
                for i in 0..lowest {
                    hidden = network.stage(&plain, Stage::Block(i), hidden)?;
                }
                self.note(&plain)?;
                hidden.tracked()
            }
        };
        for i in lowest.unwrap_or(0)..blocks {
            hidden = network.stage(&graph, Stage::Block(i), hidden)?;
        }
        let (loss, objective) = self.head(&graph, hidden)?;
        self.note(&graph)?;
        self.backward(&graph, objective, None)?;
        Ok(loss)
    }

    /// Only the blocks' inputs are kept.
    fn by_block(&mut self) -> Result<Value> {
        let (network, blocks) = (self.network, self.network.spec().blocks);
        let lowest = network.lowest_trained();
        // Nothing is recorded: burn keeps what a recorded pass leaves behind until a way back has been gone.
        let plain = self.pass(false);
        let mut hidden = network.stage(&plain, Stage::Embed, self.ids.clone())?;
        let mut inputs = Vec::new();
        for i in 0..blocks {
            if lowest.is_none_or(|lowest| i >= lowest) {
                inputs.push(hidden.clone());
            }
            hidden = network.stage(&plain, Stage::Block(i), hidden)?;
        }
        self.note(&plain)?;
        let graph = self.pass(true);
        let hidden = hidden.leaf()?;
        let (loss, objective) = self.head(&graph, hidden.clone())?;
        self.note(&graph)?;
        let mut grad = self.backward(&graph, objective, Some(hidden))?;
        for i in (lowest.unwrap_or(0)..blocks).rev() {
            let input = inputs.pop().ok_or_else(|| PluginError::new("an input was lost"))?.leaf()?;
            let graph = self.pass(true);
            let out = network.stage(&graph, Stage::Block(i), input.clone())?;
            grad = self.backward(&graph, vec![through(out, grad)?], Some(input))?;
        }
        if lowest.is_none() {
            let graph = self.pass(true);
            let out = network.stage(&graph, Stage::Embed, self.ids.clone().tracked())?;
            self.backward(&graph, vec![through(out, grad)?], None)?;
        }
        Ok(loss)
    }

    /// The final norm, the vocabulary projection and the loss, of which only the first is in the graph.
    fn head(&mut self, graph: &Arc<Pass>, hidden: Value) -> Result<(Value, Vec<Value>)> {
        let network = self.network;
        let hidden = network.stage(graph, Stage::Head, hidden)?;
        let (tokens, targets) = supervised(self.batch);
        let hidden = pick(hidden, placed(tokens, graph.layout()), network.device())?;
        let added = network.output_added(graph, &hidden)?;
        let (weight_name, bias_name) = (&network.spec().output, network.spec().output_bias.as_ref());
        let want = Want {
            hidden: true,
            weight: network.is_trained(weight_name),
            bias: bias_name.is_some_and(|name| network.is_trained(name)),
            below: false,
        };
        let plain = |(features, weight): &(Value, Value)| (features.clone().plain(), weight.clone().plain());
        let rows = (hidden.clone().plain(), network.head_with(added.as_ref().map(plain))?);
        let (sum, loss) =
            objective::loss(self.objective, self.batch, rows, (&targets, &self.known), (self.how.factor, want))?;
        if let Some(grad) = loss.weight {
            self.grads.add(weight_name.clone(), grad)?;
        }
        if let (Some(grad), Some(name)) = (loss.bias, bias_name) {
            self.grads.add(name.clone(), grad)?;
        }
        let grad = loss.hidden.ok_or_else(|| PluginError::new("the loss has no gradient"))?;
        let mut objectives = vec![through(hidden, grad)?];
        if let Some(((features, weight), (of_features, of_weight))) = added.zip(loss.added) {
            objectives.extend([through(features, of_features)?, through(weight, of_weight)?]);
        }
        Ok((sum, objectives))
    }

    /// Runs back from the sum of `objectives` and what plugins added to the loss; returns the gradient of `input`.
    fn backward(&mut self, graph: &Arc<Pass>, mut objectives: Vec<Value>, input: Option<Value>) -> Result<Value> {
        let weight = self.how.factor * self.how.count;
        for router in graph.routers() {
            objectives.push(self.balance.objective(router)?.times(weight)?);
        }
        for added in graph.losses() {
            objectives.push(Value::execute(Op::Reshape { shape: vec![1].into() }, vec![added])?.times(weight)?);
        }
        graph.forget_losses();
        let mut total: Option<Burn<5>> = None;
        for objective in objectives {
            let t = objective.into_float()?;
            total = Some(match total {
                Some(sum) => sum + t,
                None => t,
            });
        }
        let total = total.ok_or_else(|| PluginError::new("there is nothing to differentiate"))?;
        let leaves = graph.take_leaves();
        let nothing = || Value::zeros(&[1], self.network.device());
        if !total.is_tracked() {
            return nothing(); // no parameter below is trained
        }
        let mut found = total.backward();
        for (name, leaf) in leaves {
            let rank = leaf.rank;
            if let Some(grad) = leaf.into_float()?.grad_remove(&mut found) {
                self.grads.add(name, Value::float(grad, rank))?;
            }
        }
        match input {
            None => nothing(),
            Some(input) => {
                let rank = input.rank;
                let grad = input.into_float()?.grad_remove(&mut found);
                Ok(Value::float(grad.ok_or_else(|| PluginError::new("a block's input has no gradient"))?, rank))
            }
        }
    }
}

/// `sum(out * grad)`: its gradient with respect to anything below `out` is the chain rule's.
fn through(out: Value, grad: Value) -> Result<Value> {
    let product = out.into_float()? * grad.plain().tracked().into_float()?;
    Ok(Value::float(product.sum().reshape([1, 1, 1, 1, 1]), 1))
}
