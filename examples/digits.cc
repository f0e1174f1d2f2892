// digits [FILE]              learns handwritten digits and saves the network to FILE
// digits --predict FILE      loads FILE and prints what it reads on the digits it has not seen
// Both take --data DIR, a folder with files in the format of MNIST.
#include <phlox/phlox.h>

#include <cstdio>
#include <string>

namespace px = phlox;

struct Net : px::nn::Module {  // members register themselves under their names
  px::nn::Conv2d conv1{this, "conv1", 1, 32, {.kernel = 3, .padding = 1}};
  px::nn::Conv2d conv2{this, "conv2", 32, 64, {.kernel = 3, .padding = 1}};
  px::nn::Dropout dropout{this, "dropout", 0.3};
  px::nn::Linear head{this, "head", 64 * 4 * 4, 10};

  px::Tensor forward(px::Tensor x) override {
    x = px::max_pool2d(px::relu(conv2(px::relu(conv1(x)))), 2);
    return head(dropout(px::adaptive_avg_pool2d(x, 4).flatten(1)));
  }
};

int main(int argc, char** argv) try {
  std::string file = "digits.safetensors", folder;
  bool predict = false;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--predict") predict = true;
    else if (std::string(argv[i]) == "--data" && i + 1 < argc) folder = argv[++i];
    else file = argv[i];
  }
  px::manual_seed(0);
  auto [train, test] = folder.empty() ? px::data::digits().split(0.8) : px::data::digits_from_idx(folder);
  Net net;
  if (predict) {
    net.load_state_dict(px::load_safetensors(file).tensors);
    net.eval();
    for (auto [x, y] : px::data::loader(test, {.batch_size = 256}))
      for (auto digit : px::metrics::predicted_classes(net(x))) std::printf("%d\n", int(digit));
    return 0;
  }
  px::optim::AdamW optimizer(net.parameters(), {.lr = 3e-3});
  auto bar = px::progress(20, {.unit = "images"});
  for (int epoch : bar) {
    if (epoch == 15) optimizer.set_lr(3e-4);
    for (auto [x, y] : px::data::loader(train, {.batch_size = 64, .shuffle = true})) {
      auto loss = px::cross_entropy(net(x), y);
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
      bar.count(x.size(0));
      bar.set("loss", loss.item<double>());
    }
  }
  px::save_safetensors(file, net.state_dict());
} catch (const px::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
