// What TensorRT would be to the plugins: expressions of dimensions, a registry, a logger.
#pragma once

#include <NvInfer.h>

#include <list>
#include <string>
#include <vector>

// What the plugin library exports.
extern "C" nvinfer1::IPluginCreatorInterface* const* getCreators(std::int32_t& count);
extern "C" void setLoggerFinder(nvinfer1::ILoggerFinder* finder);

namespace tensorrt_test {

// A dimension: a constant, or one that will be known later.
class Expression final : public nvinfer1::IDimensionExpr {
 public:
  Expression(bool constant, std::int64_t value) : body_(constant, value) { mImpl = &body_; }
  std::int64_t value() const { return body_.value; }

 private:
  struct Body final : nvinfer1::apiv::VDimensionExpr {
    Body(bool constant_in, std::int64_t value_in) : constant(constant_in), value(value_in) {}
    bool isConstant() const override { return constant; }
    std::int64_t getConstantValue() const override { return constant ? value : INT64_MIN; }
    bool isSizeTensor() const override { return false; }
    bool constant;
    std::int64_t value;
  };
  Body body_;
};

class ExpressionBuilder final : public nvinfer1::IExprBuilder {
 public:
  ExpressionBuilder() { mImpl = &body_; }

 private:
  struct Body final : nvinfer1::apiv::VExprBuilder {
    const nvinfer1::IDimensionExpr* constant(std::int64_t value) override {
      made.emplace_back(true, value);
      return &made.back();
    }
    // The plugins need no arithmetic.
    const nvinfer1::IDimensionExpr* operation(nvinfer1::DimensionOperation,
                                              const nvinfer1::IDimensionExpr&,
                                              const nvinfer1::IDimensionExpr&) override {
      return nullptr;
    }
    const nvinfer1::IDimensionExpr* declareSizeTensor(std::int32_t, const nvinfer1::IDimensionExpr&,
                                                      const nvinfer1::IDimensionExpr&) override {
      return nullptr;
    }
    std::list<Expression> made;
  };
  Body body_;
};

// Who is registered now, "namespace/name/version", and how often somebody registered or left.
struct Registered {
  std::vector<std::string> names;
  int joined = 0, left = 0, refused = 0;
};
Registered& registered();

// Everything that was logged, a sentence a line, since the last call.
std::string logged();

// The finder of the logger whose sentences logged() gives; it can also be made to throw.
nvinfer1::ILoggerFinder* logger_finder();
void make_finder_throw(bool throws);

}  // namespace tensorrt_test
