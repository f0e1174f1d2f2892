// Bessel functions of order 0 and 1, at most 8 ULP; near the zeros of J and Y an error of 2 ULP of their amplitude
// sqrt(2 / (pi x)).
//
// Small arguments: polynomials, for J with the zeros as factors, for Y and K beside a logarithm. Large ones: Hankel's
// expansions (Abramowitz and Stegun 9.2 and 9.7), their series replaced by rational functions. Coefficients:
// tools/fit_special_functions.py.
#include "phlox/math/elementwise.h"
#include "phlox/math/functions.h"
#include "phlox/math/wave.h"

namespace phlox::math::elementwise {
namespace {

using D = Scalar<double>;

constexpr double two_over_pi = 0.63661977236758134308;
constexpr double asymptotic_from = 5;

// x^2 - zero, for a zero in two parts.
double from_zero(Pair<D> square, double zero, double zero_low) {
  return ((square.first - zero) + (square.second - zero_low)).value;
}

// For 0 <= x <= 5.
double j0_near(double x) {
  if (x < 1e-5) return 1 - 0.25 * x * x;
  const Pair<D> square = two_product(D(x), D(x));
  const D p = polynomial((square.first - 12.5) + square.second, -3.012864125080892126e-28,
                         2.006655867878049100e-25, -1.127996848196903151e-22, 5.307848171019721077e-20,
                         -2.051316415254613741e-17, 6.366486955227656281e-15, -1.542157652653115811e-12,
                         2.807789505412937670e-10, -3.646313083174818507e-8, 3.121169393699738170e-6,
                         -0.0001536869634973123537, 0.003187355630393238538);
  return p.value * from_zero(square, 5.783185962946784, 4.123247343506204e-16) *
         from_zero(square, 30.471262343662087, -2.366534485750659e-16);
}

double j1_near(double x) {
  if (x < 1e-8) return 0.5 * x;
  const Pair<D> square = two_product(D(x), D(x));
  const D p = polynomial((square.first - 12.5) + square.second, -1.103743631901411441e-29,
                         7.961584471068292895e-27, -4.874867662032521293e-24, 2.519778255446674958e-21,
                         -1.080977997476095105e-18, 3.773858562685166125e-16, -1.046316625307505884e-13,
                         2.233035618771545359e-11, -3.519674872657396850e-9, 3.866900701671058369e-7,
                         -0.00002713744635773258859, 0.001047262201744802280, -0.01587595431164548145);
  return x * (p.value * from_zero(square, 14.681970642123893, -9.858177825793294e-17));
}

// The functions P and Q of Hankel's expansion, for x >= 5.
struct Amplitudes {
  double p, q;
};

Amplitudes hankel_0(double x) {
  const double y = asymptotic_from / x;
  const D w = y * y;
  const D p =
      polynomial(w, 0.0007970434996922614894, 0.08284475859919296284, 1.239649461363327900,
                 5.447634642870720382, 8.747577849552104457, 5.303365320484981725, 0.9999999999999999956) /
      polynomial(w, 0.0009245312792160844808, 0.08563863918915773171, 1.253644199269103069,
                 5.471363155289915295, 8.762322031313123689, 5.306177820484978981, 1.000000000000000000);
  const D q =
      polynomial(w, -0.00004939461935447947672, -0.004615453982170356801, -0.05665857927023456647,
                 -0.2080740960062051503, -0.2853423659539482139, -0.1503913189809204921,
                 -0.02499999999999999580) /
      polynomial(w, 0.004098403855354022713, 0.2244954105846119202, 2.438628234123563215,
                 8.577050614029343013, 11.55232883369898666, 6.039090259236707666, 1.000000000000000000);
  return {p.value, q.value * y};
}

Amplitudes hankel_1(double x) {
  const double y = asymptotic_from / x;
  const D w = y * y;
  const D p =
      polynomial(w, 0.0007621962738166030480, 0.07314564364019148770, 1.127271183402538748,
                 5.112338503276705470, 8.424332118819925171, 5.214604555418494254, 1.000000000000000005) /
      polynomial(w, 0.0005713771918164860173, 0.06885123078391091543, 1.105216282709374964,
                 5.074121533830572187, 8.400141345512954132, 5.209917055418497429, 1.000000000000000000);
  const D q =
      polynomial(w, 0.0001578419383739561528, 0.01293006496857351985, 0.1592968312021252021,
                 0.5952417914199643765, 0.8309865398914431877, 0.4450092863552657783,
                 0.07499999999999999517) /
      polynomial(w, 0.003005979842430458986, 0.1897851808873501835, 2.200662390791740591,
                 8.051741050925112780, 11.14365302221832691, 5.944394651403501061, 1.000000000000000000);
  return {p.value, q.value * y};
}

double amplitude(double x) { return 0.79788456080286535588 / sqrt(D(x)).value; }

double j_far(double x, int order, Amplitudes a) {
  const Wave wave = wave_of(x, 0, 2 * order + 1);
  return amplitude(x) * (a.p * wave.cosine - a.q * wave.sine);
}
double y_far(double x, int order, Amplitudes a) {
  const Wave wave = wave_of(x, 0, 2 * order + 1);
  return amplitude(x) * (a.p * wave.sine + a.q * wave.cosine);
}

// I0(x) and I1(x) / (x / 2) for |x| <= 8.
double i0_near(double x) {
  const D z = 0.25 * (x * x);
  return (1.0 + z * polynomial(z, 3.472263657494750152e-27, 5.151891983888747344e-25,
                               1.339319212875466988e-22, 2.573705582379867948e-20, 4.359196900420309465e-18,
                               6.275991883944327849e-16, 7.594065634391408173e-14, 7.594058005901923201e-12,
                               6.151187344608265863e-10, 3.936759888609444135e-8, 1.929012345689827788e-6,
                               0.00006944444444443018791, 0.001736111111111122303, 0.02777777777777777324,
                               0.2500000000000000007, 1.000000000000000000))
      .value;
}
double i1_near(double x) {
  const D z = 0.25 * (x * x);
  return (1.0 + z * polynomial(z, 2.005822494383836926e-28, 3.262857242155811981e-26,
                               8.906217603303529276e-24, 1.839066274185350485e-21, 3.353082853953659081e-19,
                               5.230014135520690188e-17, 6.903693889517176695e-15, 7.594058163982523342e-13,
                               6.834652596742866179e-11, 4.920949861075929381e-9, 2.755731922405935042e-7,
                               0.00001157407407407307222, 0.0003472222222222230394, 0.006944444444444444099,
                               0.08333333333333333339, 0.5000000000000000000))
      .value;
}

// e^-x sqrt(x) I(x) for x >= 8.
double i0_far(double x) {
  return polynomial(D(1 / x - 0.0625), -84275948332195438.81, 29862804329225261.56, 2596585778293390.235,
                    -820803315646730.3244, -39701006812263.17791, 10549734856853.08499, 429348395085.2159133,
                    -85322422516.64249274, -3975063337.538041308, 475696579.0035650726, 33862098.88330741055,
                    -1424348.592574460305, -235667.3336070798453, -7522.540802656064319, 518.9407170327827019,
                    92.61932824157998325, 10.55657467690602346, 1.488483796124514874, 0.3118043714762760380,
                    0.09724543972478788974, 0.04564186641356438381, 0.03487131504388458630,
                    0.05376883173868552754, 0.4021765094450080831)
      .value;
}
double i1_far(double x) {
  return polynomial(D(1 / x - 0.0625), 81008401918194416.40, -31068271147698015.74, -2471026740137989.133,
                    855260988132908.7053, 37682068062045.14045, -11023895110343.58190, -411696707032.2132718,
                    89665650389.90579553, 3905074094.396869739, -506252074.0957108066, -34315794.49712540533,
                    1580693.927021602439, 246740.3121361147391, 7512.354135995761689, -579.0057193177983231,
                    -100.4629604415591611, -11.57748564903100874, -1.677908875961337603,
                    -0.3653087261638114812, -0.1202526763550791480, -0.06159788933767228495,
                    -0.05612435554100576621, -0.1559932350917715961, 0.3893984590258723223)
      .value;
}

// e^x sqrt(x) K(x) for x >= 1.
double k0_far(double x) {
  const D y = 1 / x;
  return (polynomial(y, 0.06971742018894090513, 4.995202312943029115, 55.75707661296246324,
                     208.9550674003816332, 338.9908529696940741, 265.1354966306169739, 102.7818738404287111,
                     18.69692334485688922, 1.253314137315500232) /
          polynomial(y, 0.1697090310149322647, 6.481469842027233644, 57.56863176636091249,
                     192.5093744557038468, 293.2017743950064548, 221.0403178676138822, 83.81813107659376316,
                     15.04298647137595595, 1.000000000000000000))
      .value;
}
double k1_far(double x) {
  const D y = 1 / x;
  return (polynomial(y, 0.3838722139292901548, 10.86537363238879488, 80.75489943619464656,
                     244.4390920484752752, 355.4241929302988733, 264.5737848849318481, 101.0189660367831218,
                     18.44459768506345373, 1.253314137315500282) /
          polynomial(y, 0.02808960258602845087, 2.513035845168755282, 31.28147415568929028,
                     127.4874937817025549, 221.9307754376318118, 184.4247604202191752, 75.34053845283456009,
                     14.34165972313243800, 1.000000000000000000))
      .value;
}

// For 0 < x <= 1.
double k0_near(double x) {
  const D p = polynomial(D(x * x), 6.611682449143198589e-12, 1.208266106438670006e-9, 1.627106892513785459e-7,
                         0.00001491471924307897370, 0.0008460350907213738978, 0.02524892993216121697,
                         0.2789828789146031734, 0.1159315156584124484);
  return p.value - log(D(x)).value * i0_near(x);
}
double k1_near(double x) {
  const D p = polynomial(D(x * x), -4.221992429108181437e-13, -8.870924842269587907e-11,
                         -1.403017183986989583e-8, -1.559288766435163919e-6, -0.0001125360703672503551,
                         -0.004642182766471444358, -0.08537071972865078343, -0.3079657578292062244);
  return 1 / x + x * (p.value + 0.5 * log(D(x)).value * i1_near(x));
}

// factor e^x, where e^x alone may be out of range; |x| <= 750.
double times_exp(double factor, double x) {
  const ExponentialParts<D> parts = exponential_parts(D(x), D(0.0));
  const Pair<D> sum = fast_two_sum(D(1.0), parts.main);
  return scale_by_power_of_two((sum.first + (sum.second + parts.rest)) * D(factor), parts.n).value;
}

double root(double x) { return sqrt(D(x)).value; }

}  // namespace

double bessel_j0(double x) {
  const double a = __builtin_fabs(x);
  if (a <= asymptotic_from) return j0_near(a);
  if (a == kInfinity) return 0;
  return j_far(a, 0, hankel_0(a));
}

double bessel_j1(double x) {
  const double a = __builtin_fabs(x);
  double result;
  if (a <= asymptotic_from) result = j1_near(a);
  else if (a == kInfinity) result = 0;
  else result = j_far(a, 1, hankel_1(a));
  return __builtin_signbit(x) ? -result : result;
}

double bessel_y0(double x) {
  if (x < 0) return kNaN;
  if (x == 0) return -kInfinity;
  if (x == kInfinity) return 0;
  if (x <= 2.5) {
    const D p = polynomial(D(x * x), -1.304708091818760541e-19, 5.416514873280668570e-17,
                           -1.693150239495790751e-14, 4.143559443265917855e-12, -7.693079690892466432e-10,
                           1.035847602912472439e-7, -9.495005205161324662e-6, 0.0005386026668616079686,
                           -0.01607396802593840682, 0.1776060168690671392, -0.07380429510868722520);
    return p.value + two_over_pi * log(D(x)).value * j0_near(x);
  }
  if (x <= asymptotic_from) {
    const D p = polynomial(D(x - 3.75), -1.195791745421248558e-14, 4.489186409029501394e-14,
                           -7.270464557115054838e-14, 3.030280324463005610e-13, -1.585470658848639901e-12,
                           6.216523151517283293e-12, -2.385881845795766312e-11, 9.524449957613117586e-11,
                           -3.800059571198388263e-10, 1.498396018377974177e-9, -6.371626644569948489e-9,
                           3.003891468448154160e-8, -7.163559242436043114e-8, -2.096896844645820919e-7,
                           -4.462544789298689931e-6, 0.00005770676578929902748, 0.0001275238598114992412,
                           -0.002351842975283481787, -0.004963902362175643543, 0.06221212670176824157,
                           0.02574090822632115659, -0.4105229482130558741);
    return ((x - 3.957678419314858) + 1.0764340697562706e-16) * p.value;
  }
  return y_far(x, 0, hankel_0(x));
}

double bessel_y1(double x) {
  if (x < 0) return kNaN;
  if (x == 0) return -kInfinity;
  if (x == kInfinity) return 0;
  if (x <= 2.5) {
    const D p = polynomial(D(x * x), -6.056682976034026787e-21, 2.755472222690814696e-18,
                           -9.590972425557087824e-16, 2.649478838201297923e-13, -5.648024462517558563e-11,
                           8.931879619309693534e-9, -9.926740619399270972e-7, 0.00007164268749973762690,
                           -0.002955305336079832875, 0.05434868816051024388, -0.1960570906462389484);
    return (x * p.value + two_over_pi * j1_near(x) * log(D(x)).value) - two_over_pi / x;
  }
  if (x <= asymptotic_from)
    return polynomial(D(x - 3.75), -8.238708898169719123e-14, 2.922137905759658319e-13,
                      -3.382544566131130925e-13, 1.408607694799244444e-12, -8.289435900056351431e-12,
                      3.046195685121264273e-11, -1.069749374346546421e-10, 4.008901495458355266e-10,
                      -1.508065178296479253e-9, 5.598767651120781084e-9, -2.050129971813918687e-8,
                      8.019243574075175491e-8, -3.449856005761117551e-7, 7.787408669339450805e-7,
                      1.753313179920307663e-6, 0.00003535197397031386966, -0.0004104347803459233416,
                      -0.0006932364594262627967, 0.01189163464457717498, 0.01790190132236629679,
                      -0.1897290662939347063, -0.02564158418136449558, 0.4158687793452270745)
        .value;
  return y_far(x, 1, hankel_1(x));
}

double bessel_i0(double x) {
  const double a = __builtin_fabs(x);
  if (a <= 8) return i0_near(a);
  if (a > 720) return kInfinity;
  return times_exp(i0_far(a) / root(a), a);
}
double bessel_i0e(double x) {
  const double a = __builtin_fabs(x);
  if (a <= 8) return i0_near(a) * exp(D(-a)).value;
  return i0_far(a) / root(a);
}
double bessel_i1(double x) {
  const double a = __builtin_fabs(x);
  if (a <= 8) return 0.5 * x * i1_near(a);
  if (a > 720) return x * kInfinity;
  return __builtin_copysign(times_exp(i1_far(a) / root(a), a), x);
}
double bessel_i1e(double x) {
  const double a = __builtin_fabs(x);
  if (a <= 8) return 0.5 * x * (i1_near(a) * exp(D(-a)).value);
  return __builtin_copysign(i1_far(a) / root(a), x);
}

double bessel_k0(double x) {
  if (x < 0) return kNaN;
  if (x == 0) return kInfinity;
  if (x <= 1) return k0_near(x);
  if (x > 750) return 0;
  return times_exp(k0_far(x) / root(x), -x);
}
double bessel_k0e(double x) {
  if (x < 0) return kNaN;
  if (x == 0) return kInfinity;
  return x <= 1 ? k0_near(x) * exp(D(x)).value : k0_far(x) / root(x);
}
double bessel_k1(double x) {
  if (x < 0) return kNaN;
  if (x == 0) return kInfinity;
  if (x <= 1) return k1_near(x);
  if (x > 750) return 0;
  return times_exp(k1_far(x) / root(x), -x);
}
double bessel_k1e(double x) {
  if (x < 0) return kNaN;
  if (x == 0) return kInfinity;
  return x <= 1 ? k1_near(x) * exp(D(x)).value : k1_far(x) / root(x);
}

}  // namespace phlox::math::elementwise
