/*
 * mpstypes.h: the types of numbers of Apple's Metal Performance Shaders, which mps.h and mpsgraph.h share.
 */
#ifndef SLUICE_MPSTYPES_H
#define SLUICE_MPSTYPES_H

#include <stdint.h>

typedef uint32_t MPSDataType;
#define MPSDataTypeFloatBit ((MPSDataType)0x10000000u)
#define MPSDataTypeAlternateEncodingBit ((MPSDataType)0x80000000u)
#define MPSDataTypeFloat32 ((MPSDataType)0x10000020u)
#define MPSDataTypeFloat16 ((MPSDataType)0x10000010u)
#define MPSDataTypeBFloat16 ((MPSDataType)0x90000010u)
#define MPSDataTypeUInt8 ((MPSDataType)0x00000008u)

#endif
