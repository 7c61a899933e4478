/*
 * oracle_names.h: names of the oracle's parts that take their suffix from ORACLE(name) wherever they are used.
 */
#ifndef SLUICE_CHECK_ORACLE_NAMES_H
#define SLUICE_CHECK_ORACLE_NAMES_H

#define ORACLE_RUN ORACLE(run)
#define ORACLE_TRACE ORACLE(trace)
#define ORACLE_GRADIENTS ORACLE(gradients)
#define ORACLE_FORWARD ORACLE(forward)
#define ORACLE_TRACE_DESTROY ORACLE(trace_destroy)
#define ORACLE_BACKWARD ORACLE(backward)
#define ORACLE_GRADIENTS_DESTROY ORACLE(gradients_destroy)
#define ORACLE_HAS_STEP ORACLE(has_step)
#define ORACLE_COMPUTES_STEP ORACLE(computes_step)
#define ORACLE_BEGINS_ANEW ORACLE(begins_anew)
#define ORACLE_ACTIVATION ORACLE(activation)
#define ORACLE_DROPOUT_FACTOR ORACLE(dropout_factor)
#define ORACLE_MASK_FACTOR ORACLE(mask_factor)
#define ORACLE_ZONEOUT_H_FACTOR ORACLE(zoneout_h_factor)
#define ORACLE_ZONEOUT_C_FACTOR ORACLE(zoneout_c_factor)
#define ORACLE_RECURRENT_FACTOR ORACLE(recurrent_factor)
#endif
