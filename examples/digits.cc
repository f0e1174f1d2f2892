#include <iostream>
#include <phlox/phlox.h>

namespace px = phlox;

struct Net : px::nn::Module {  // members register themselves under their names
  px::nn::Conv2d conv1{this, "conv1", 1, 32, {.kernel = 3, .padding = 1}};
  px::nn::Conv2d conv2{this, "conv2", 32, 64, {.kernel = 3, .padding = 1}};
  px::nn::Linear head{this, "head", 64 * 4 * 4, 10};
  px::Tensor forward(px::Tensor x) override {
    x = px::relu(conv2(px::relu(conv1(x))));
    return head(px::adaptive_max_pool2d(x, 4).flatten(1));
  }
};

void learn(Net& net, const px::data::Subset& train, const px::Tensor& images, const px::Tensor& labels) {
  auto batches = px::data::loader(train, {.batch_size = 64, .shuffle = true});
  auto bar = px::progress(30, {.unit = "images"});
  px::nn::CrossEntropyLoss criterion({.label_smoothing = 0.1});
  px::optim::AdamW optimizer(net.parameters(), {.lr = 3e-3});
  px::optim::CosineAnnealingLR schedule(optimizer, bar.total() * batches.size());
  px::train::Interrupt interrupt;  // Ctrl-C ends learning early
  for ([[maybe_unused]] int epoch : bar) {
    for (auto [x, y] : batches) {
      auto loss = criterion(net(x), y);
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
      schedule.step();
      bar.count(x.size(0));
      bar.set("loss", loss.item<double>());
      if (interrupt.requested()) return;
    }
    bar.set("accuracy", px::metrics::accuracy(px::predict(net, images), labels));
  }
}

int main(int argc, char** argv) try {
  auto usage = "digits [--save FILE] [--seed N] [--data DIR]\ndigits --predict FILE [--data DIR]\n";
  if (argc % 2 == 0) return std::cout << usage, 0;  // --help, or an option without its value
  std::map<std::string, std::string> options{{"--save", "digits.safetensors"}, {"--seed", "0"}};
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  px::manual_seed(std::stoul(options["--seed"]));
  const std::string folder = options["--data"];
  auto [train, test] = folder.empty() ? px::data::digits().split(0.8) : px::data::digits_from_idx(folder);
  auto [images, labels] = *px::data::loader(test, {.batch_size = test.size()}).begin();
  Net net;
  if (options.contains("--predict")) {
    net.load_state_dict(px::load_safetensors(options["--predict"]).tensors);
    for (auto digit : px::metrics::predicted_classes(px::predict(net, images))) std::cout << digit << '\n';
  } else {
    learn(net, train, images, labels);
    px::save_safetensors(options["--save"], net.state_dict());
    px::save_png("digits.png", px::vision::draw_predictions(images, labels, px::predict(net, images)));
  }
} catch (const px::Error& error) {
  return std::cerr << error.what() << '\n', 1;
}
