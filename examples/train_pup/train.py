"""Train pup to follow velocity commands with PPO, on a CPU, and export an ONNX policy.

    python train.py --minutes 60 --output runs/pup

The actor sees what hardware can measure, with noise; the critic also sees the true velocity,
contacts and randomisation. Half of every minibatch is mirrored left to right, which keeps the
gait symmetric and costs nothing.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pup
import torch
from export import export_policy
from torch import nn
from vec_env import VecEnv

GAMMA, LAMBDA = 0.99, 0.95
CLIP, EPOCHS, MINIBATCHES = 0.2, 4, 4
ENTROPY_WEIGHT, VALUE_WEIGHT, GRADIENT_NORM = 0.004, 1.0, 1.0
KL_TARGET, RATE_RANGE = 0.012, (5e-5, 2e-3)
FINE_STD = 0.1


def build_mlp(inputs: int, outputs: int, width: int) -> nn.Sequential:
    """Three ELU layers; the last layer starts near zero so that training starts by standing."""
    layers: list[nn.Module] = []
    for size_in in (inputs, width, width):
        layers += [nn.Linear(size_in, width), nn.ELU()]
    last = nn.Linear(width, outputs)
    nn.init.uniform_(last.weight, -0.01, 0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


class ActorCritic(nn.Module):
    """A Gaussian actor with a state-independent spread, and a critic with privileged inputs."""

    def __init__(self, critic_dim: int, initial_std: float = 0.5):
        super().__init__()
        self.actor = build_mlp(pup.OBSERVATION_DIM, pup.ACTION_DIM, 128)
        self.critic = build_mlp(critic_dim, 1, 192)
        self.log_std = nn.Parameter(torch.full((pup.ACTION_DIM,), float(np.log(initial_std))))
        scale = torch.from_numpy(pup.OBSERVATION_SCALE)
        self.register_buffer("actor_scale", scale)
        self.register_buffer("critic_scale", torch.cat([scale, torch.ones(critic_dim - len(scale))]))

    def distribution(self, observation: torch.Tensor) -> torch.distributions.Normal:
        """Distribution of the action for raw observations (N, 47)."""
        mean = self.actor(observation * self.actor_scale)
        return torch.distributions.Normal(mean, self.log_std.clamp(-2.5, 0.0).exp())

    def value(self, observation: torch.Tensor) -> torch.Tensor:
        """Expected return (N,) for what the critic sees."""
        return self.critic(observation * self.critic_scale)[:, 0]


class Mirror:
    """Left-right mirror of a random half of a batch."""

    def __init__(self):
        index, sign = pup.OBSERVATION_MIRROR
        tail = len(index)
        legs = pup.LEG_MIRROR_INDEX
        critic_index = np.concatenate(
            [index, tail + np.concatenate([np.arange(4), 4 + legs, 8 + legs, np.arange(12, 17)])]
        )
        critic_sign = np.concatenate([sign, [1, -1, 1, 1], np.ones(13)]).astype(np.float32)
        self._maps = [
            (torch.from_numpy(np.asarray(i)), torch.from_numpy(np.asarray(s)))
            for i, s in ((index, sign), (critic_index, critic_sign), pup.ACTION_MIRROR)
        ]

    def __call__(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """Take (policy observation, critic observation, action), each (N, dim)."""
        flip = (torch.rand(len(tensors[0])) < 0.5)[:, None]
        return [torch.where(flip, t[:, i] * s, t) for t, (i, s) in zip(tensors, self._maps, strict=True)]


def update(net: ActorCritic, optimiser: torch.optim.Adam, batch: dict, mirror: Mirror, entropy_weight: float) -> dict:
    """Run one PPO update and adapt the learning rate to the measured KL divergence."""
    size = len(batch["action"])
    stats = {"kl": [], "value_loss": []}
    for _ in range(EPOCHS):
        for index in torch.randperm(size).chunk(MINIBATCHES):
            observation, critic_observation, action = mirror(
                batch["observation"][index], batch["critic_observation"][index], batch["action"][index]
            )
            distribution = net.distribution(observation)
            log_ratio = distribution.log_prob(action).sum(1) - batch["log_probability"][index]
            ratio = log_ratio.exp()
            advantage = batch["advantage"][index]
            policy_loss = -torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
            value_loss = (net.value(critic_observation) - batch["return"][index]).square().mean()
            entropy = distribution.entropy().sum(1).mean()
            loss = policy_loss + VALUE_WEIGHT * value_loss - entropy_weight * entropy
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), GRADIENT_NORM)
            optimiser.step()
            with torch.no_grad():
                kl = (ratio - 1 - log_ratio).mean().item()
            stats["kl"].append(kl)
            stats["value_loss"].append(value_loss.item())
            group = optimiser.param_groups[0]
            if kl > 2 * KL_TARGET:
                group["lr"] = max(RATE_RANGE[0], group["lr"] / 1.2)
            elif kl < KL_TARGET / 2:
                group["lr"] = min(RATE_RANGE[1], group["lr"] * 1.1)
    return {name: float(np.mean(values)) for name, values in stats.items()}


def collect(env: VecEnv, net: ActorCritic, steps: int, observed: tuple) -> tuple[dict, tuple, dict]:
    """Run the policy for `steps` policy periods and compute advantages.

    Args:
        env: The robots.
        net: Actor and critic.
        steps: Policy periods per robot.
        observed: What `env.observe` returned last.

    Returns:
        The flat training batch, the newest observation, and the mean reward terms.
    """
    store: dict[str, list] = {
        key: [] for key in ("observation", "critic_observation", "action", "log_probability", "value", "reward", "end")
    }
    sums: dict[str, float] = {}
    observation, critic_observation = map(torch.from_numpy, observed)
    for _ in range(steps):
        with torch.no_grad():
            distribution = net.distribution(observation)
            action = distribution.sample()
            log_probability = distribution.log_prob(action).sum(1)
            value = net.value(critic_observation)
        reward, fallen, timed_out, terms = env.step(action.numpy().astype(np.float64))
        ended = fallen | timed_out
        reward = torch.from_numpy(reward).float()
        if timed_out.any():  # a time limit is not a failure: continue with the critic's estimate
            with torch.no_grad():
                final = net.value(torch.from_numpy(env.observe()[1][timed_out]))
            reward[timed_out] += GAMMA * final
        env.reset(np.flatnonzero(ended))
        values = (
            observation,
            critic_observation,
            action,
            log_probability,
            value,
            reward,
            torch.from_numpy(ended).float(),
        )
        for key, tensor in zip(store, values, strict=True):
            store[key].append(tensor)
        for key, mean in terms.items():
            sums[key] = sums.get(key, 0.0) + mean / steps
        sums["reward"] = sums.get("reward", 0.0) + float(reward.mean()) / steps
        observed = env.observe()
        observation, critic_observation = map(torch.from_numpy, observed)

    with torch.no_grad():
        next_value = net.value(critic_observation)
    advantages, advantage = [], torch.zeros(env.count)
    for t in reversed(range(steps)):
        alive = 1.0 - store["end"][t]
        delta = store["reward"][t] + GAMMA * alive * next_value - store["value"][t]
        advantage = delta + GAMMA * LAMBDA * alive * advantage
        advantages.append(advantage)
        next_value = store["value"][t]
    advantages = torch.stack(advantages[::-1])
    batch = {key: torch.cat(store[key]) for key in ("observation", "critic_observation", "action", "log_probability")}
    batch["return"] = (advantages + torch.stack(store["value"])).flatten()
    batch["advantage"] = advantages.flatten()
    batch["advantage"] = (batch["advantage"] - batch["advantage"].mean()) / (batch["advantage"].std() + 1e-6)
    return batch, observed, sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--output", type=Path, default=Path("runs/pup"))
    parser.add_argument("--robots", type=int, default=384)
    parser.add_argument("--steps", type=int, default=24, help="policy steps per robot and update")
    parser.add_argument("--threads", type=int, default=2, help="physics threads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", type=Path, help="checkpoint to continue from")
    parser.add_argument(
        "--coarse-share",
        type=float,
        default=0.75,
        help="share of the time spent at twice the physics timestep, before the real one",
    )
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)  # the network is too small to gain from more
    arguments.output.mkdir(parents=True, exist_ok=True)
    net = ActorCritic(pup.OBSERVATION_DIM + VecEnv.PRIVILEGED_DIM)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    progress = {"samples": 0, "minutes": 0.0, "command_level": 0.0}
    if arguments.resume:
        checkpoint = torch.load(arguments.resume, weights_only=True)
        net.load_state_dict(checkpoint["net"])
        optimiser.load_state_dict(checkpoint["optimiser"])
        progress = {key: checkpoint[key] for key in progress}

    coarse_minutes = arguments.minutes * arguments.coarse_share
    # The second stage explores little, so that the mean action, which is what gets exported,
    # is tuned under the conditions it will run in.
    stages = (
        (2 * pup.PHYSICS_TIMESTEP_S, coarse_minutes, 1.0, ENTROPY_WEIGHT),
        (pup.PHYSICS_TIMESTEP_S, arguments.minutes - coarse_minutes, FINE_STD, 0.0),
    )
    with (arguments.output / "log.jsonl").open("a") as log:
        for stage, (timestep_s, minutes, maximum_std, entropy_weight) in enumerate(stages):
            if minutes > 0:
                with torch.no_grad():
                    net.log_std.clamp_(max=float(np.log(maximum_std)))
                env = VecEnv(arguments.robots, arguments.threads, arguments.seed + stage, timestep_s)
                env.command_level = progress["command_level"]
                train(env, net, optimiser, minutes, arguments.steps, entropy_weight, progress, log, arguments.output)


def train(
    env: VecEnv,
    net: ActorCritic,
    optimiser,
    minutes: float,
    steps: int,
    entropy_weight: float,
    progress: dict,
    log,
    folder: Path,
) -> None:
    """Train for a number of minutes.

    Args:
        env: The robots.
        net: Actor and critic, changed in place.
        optimiser: Of `net`.
        minutes: How long.
        steps: Policy periods per robot and update.
        entropy_weight: Reward of exploration.
        progress: Samples, minutes and command level so far; updated in place.
        log: Open text file that receives one JSON object per update.
        folder: Receives a checkpoint and the exported policy every 50 updates and at the end.
    """
    mirror, observed = Mirror(), env.observe()
    start, minutes_before, samples_before, iteration = time.monotonic(), progress["minutes"], progress["samples"], 0
    while progress["minutes"] - minutes_before < minutes:
        batch, observed, terms = collect(env, net, steps, observed)
        losses = update(net, optimiser, batch, mirror, entropy_weight)
        iteration += 1
        progress["samples"] += len(batch["action"])
        progress["minutes"] = minutes_before + (time.monotonic() - start) / 60
        # Widen the commands while they are followed well: full range takes >= 200 updates.
        if terms["track_linear"] > 0.65 and terms["track_angular"] > 0.6:
            env.command_level = min(1.0, env.command_level + 0.005)
        progress["command_level"] = env.command_level
        record = {
            "iteration": iteration,
            **progress,
            "samples_per_s": (progress["samples"] - samples_before) / (time.monotonic() - start),
            "learning_rate": optimiser.param_groups[0]["lr"],
            "std": net.log_std.detach().exp().mean().item(),
            **losses,
            **terms,
        }
        log.write(json.dumps(record) + "\n")
        log.flush()
        if iteration % 10 == 0:
            print(
                " ".join(
                    f"{key}={record[key]:.4g}"
                    for key in (
                        "iteration",
                        "samples",
                        "minutes",
                        "samples_per_s",
                        "reward",
                        "fall",
                        "track_linear",
                        "track_angular",
                        "gait_contact",
                        "swing_height",
                        "linear_error_m_per_s",
                        "std",
                        "kl",
                        "command_level",
                    )
                ),
                flush=True,
            )
        if iteration % 50 == 0:
            save(folder, net, optimiser, progress)
    save(folder, net, optimiser, progress)


def save(folder: Path, net: ActorCritic, optimiser, progress: dict) -> None:
    """Write the checkpoint and the policy that a robot would load."""
    torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), **progress}, folder / "checkpoint.pt")
    layers = [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in net.actor if isinstance(m, nn.Linear)]
    export_policy(folder / "policy.onnx", layers, pup.OBSERVATION_SCALE)


if __name__ == "__main__":
    main()
